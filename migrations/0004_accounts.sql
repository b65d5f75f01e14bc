-- Why: people sign in, belong to tenants in a role, and hand tokens to programs; what they change is recorded.
-- One writer: the api writes every table here.
-- Deploy: new tables and columns with defaults only; the older api and scheduler go on beside them.
--
-- Two roles that own nothing and bypass nothing. The api works in them, whatever role it connects as:
--   headwater_door    before a tenant is known: whose is this key, this session, this token. Grants name each table.
--   headwater_tenant  for one tenant, named per transaction: set local headwater.tenant_id = 'ten_...'
-- Roles belong to the whole cluster. Where the migrating role may not create roles, an operator creates both with
-- NOLOGIN and grants them to it first.

do $$
declare
    named text;
begin
    foreach named in array array['headwater_door', 'headwater_tenant'] loop
        if not exists (select from pg_roles where rolname = named) then
            begin
                execute format('create role %I nologin nosuperuser nobypassrls noinherit', named);
            exception
                -- Another database of the cluster was migrated at the same time.
                when duplicate_object or unique_violation then null;
                when insufficient_privilege then
                    raise exception 'the role % does not exist and % may not create it', named, current_user
                        using hint = format('As a superuser: create role %I nologin; grant %I to %I;', named, named, current_user);
            end;
        end if;
        if not pg_has_role(current_user, named, 'member') or current_setting('server_version_num')::int >= 160000 then
            if not (select rolsuper from pg_roles where rolname = current_user) then
                execute format('grant %I to %I', named, current_user);
            end if;
        end if;
    end loop;
end
$$;

-- A person. Belongs to no tenant by itself.
create table user_account (
    user_id           text        not null,
    -- As typed, and as compared: lower case.
    email             text        not null,
    email_key         text        not null,
    name              text        not null,
    -- Argon2id in PHC form; null: signs in by other means only.
    password_hash     text,
    email_verified_at timestamptz,
    created_at        timestamptz not null default now(),
    constraint user_account_pkey primary key (user_id),
    constraint user_account_id_form check (user_id ~ '^usr_[a-z2-7]{24}$'),
    constraint user_account_email_key unique (email_key),
    constraint user_account_email_form check (char_length(email) between 3 and 254 and email_key = lower(email)),
    constraint user_account_name_length check (char_length(name) between 1 and 200)
);

-- A browser that a person signed in with.
create table session (
    session_id    text        not null,
    user_id       text        not null,
    -- SHA-256 of the cookie's secret in hex.
    secret_sha256 text        not null,
    user_agent    text        not null default '',
    ip_address    text        not null default '',
    created_at    timestamptz not null default now(),
    -- Kept to the minute.
    last_used_at  timestamptz not null default now(),
    expires_at    timestamptz not null,
    revoked_at    timestamptz,
    constraint session_pkey primary key (session_id),
    constraint session_id_form check (session_id ~ '^ses_[a-z2-7]{24}$'),
    constraint session_user_fkey foreign key (user_id) references user_account (user_id),
    constraint session_secret_key unique (secret_sha256),
    constraint session_secret_form check (secret_sha256 ~ '^[0-9a-f]{64}$')
);
create index session_user_idx on session (user_id, created_at desc, session_id desc);

alter table tenant add column version integer not null default 1;

create table member (
    member_id text        not null,
    tenant_id text        not null,
    user_id   text        not null,
    role      text        not null,
    joined_at timestamptz not null default now(),
    constraint member_pkey primary key (member_id),
    constraint member_id_form check (member_id ~ '^mem_[a-z2-7]{24}$'),
    constraint member_tenant_fkey foreign key (tenant_id) references tenant (tenant_id),
    constraint member_user_fkey foreign key (user_id) references user_account (user_id),
    constraint member_once_key unique (tenant_id, user_id),
    constraint member_role check (role in ('owner', 'admin', 'developer', 'analyst', 'billing'))
);
create index member_user_idx on member (user_id, joined_at);
create index member_tenant_idx on member (tenant_id, joined_at desc, member_id desc);

create table invitation (
    invitation_id text        not null,
    tenant_id     text        not null,
    email         text        not null,
    email_key     text        not null,
    role          text        not null,
    secret_sha256 text        not null,
    invited_by    text,
    created_at    timestamptz not null default now(),
    expires_at    timestamptz not null,
    accepted_at   timestamptz,
    revoked_at    timestamptz,
    constraint invitation_pkey primary key (invitation_id),
    constraint invitation_id_form check (invitation_id ~ '^inv_[a-z2-7]{24}$'),
    constraint invitation_tenant_fkey foreign key (tenant_id) references tenant (tenant_id),
    constraint invitation_inviter_fkey foreign key (invited_by) references user_account (user_id),
    constraint invitation_secret_key unique (secret_sha256),
    constraint invitation_secret_form check (secret_sha256 ~ '^[0-9a-f]{64}$'),
    constraint invitation_email_form check (char_length(email) between 3 and 254 and email_key = lower(email)),
    constraint invitation_role check (role in ('owner', 'admin', 'developer', 'analyst', 'billing'))
);
-- One open invitation per address and tenant.
create unique index invitation_open_key on invitation (tenant_id, email_key)
    where accepted_at is null and revoked_at is null;
create index invitation_tenant_idx on invitation (tenant_id, created_at desc, invitation_id desc);

-- A program's right to act for a tenant in one environment.
create table api_token (
    api_token_id  text        not null,
    tenant_id     text        not null,
    environment   text        not null,
    name          text        not null,
    secret_sha256 text        not null,
    -- Its last characters, for people who compare.
    hint          text        not null,
    actions       text[]      not null,
    created_by    text,
    created_at    timestamptz not null default now(),
    -- Kept to the minute.
    last_used_at  timestamptz,
    expires_at    timestamptz,
    revoked_at    timestamptz,
    constraint api_token_pkey primary key (api_token_id),
    constraint api_token_id_form check (api_token_id ~ '^tok_[a-z2-7]{24}$'),
    constraint api_token_tenant_fkey foreign key (tenant_id) references tenant (tenant_id),
    constraint api_token_creator_fkey foreign key (created_by) references user_account (user_id),
    constraint api_token_secret_key unique (secret_sha256),
    constraint api_token_secret_form check (secret_sha256 ~ '^[0-9a-f]{64}$'),
    constraint api_token_environment check (environment in ('live', 'test')),
    constraint api_token_name_length check (char_length(name) between 1 and 200)
);
create index api_token_tenant_idx on api_token (tenant_id, created_at desc, api_token_id desc);

-- Who changed what. Written in the transaction of the change; never updated.
create table audit_entry (
    audit_id     text        not null,
    tenant_id    text        not null,
    environment  text        not null,
    -- Not the transaction's beginning: the lines of one change keep their order.
    at           timestamptz not null default clock_timestamp(),
    actor_kind   text        not null,
    actor_id     text,
    actor_name   text        not null,
    action       text        not null,
    subject_id   text        not null,
    subject_name text        not null,
    before       jsonb,
    after        jsonb,
    ip_address   text,
    user_agent   text,
    trace_id     text,
    constraint audit_entry_pkey primary key (audit_id),
    constraint audit_entry_id_form check (audit_id ~ '^aud_[a-z2-7]{24}$'),
    constraint audit_entry_tenant_fkey foreign key (tenant_id) references tenant (tenant_id),
    constraint audit_entry_environment check (environment in ('live', 'test')),
    constraint audit_entry_actor check (actor_kind in ('user', 'api_token', 'operator', 'system'))
);
create index audit_entry_tenant_idx on audit_entry (tenant_id, at desc, audit_id desc);
create index audit_entry_subject_idx on audit_entry (tenant_id, subject_id, at desc);

-- A change asked for with an Idempotency-Key. The row is part of the change's own transaction; the answer follows, sealed
-- with a key that only the caller's credential yields, because answers show secrets.
create table idempotency (
    tenant_id      text        not null,
    -- The session or token that asked.
    actor_id       text        not null,
    -- SHA-256 of the caller's key, and of the request, in hex.
    key_sha256     text        not null,
    request_sha256 text        not null,
    created_at     timestamptz not null default now(),
    answer         bytea,
    constraint idempotency_pkey primary key (tenant_id, actor_id, key_sha256),
    constraint idempotency_tenant_fkey foreign key (tenant_id) references tenant (tenant_id)
);
create index idempotency_created_idx on idempotency (created_at);

alter table user_account enable row level security;
alter table session enable row level security;

do $$
declare
    named text;
begin
    foreach named in array array['member', 'invitation', 'api_token', 'audit_entry', 'idempotency'] loop
        execute format('alter table %I enable row level security', named);
        execute format(
            'create policy tenant_isolation on %I using (tenant_id = current_setting(''headwater.tenant_id'', true))',
            named
        );
    end loop;
end
$$;

-- A tenant sees the people who belong to it, and nobody else's sessions.
create policy fellow_members on user_account for select to headwater_tenant using (
    exists (select from member m where m.user_id = user_account.user_id
            and m.tenant_id = current_setting('headwater.tenant_id', true))
);

-- Before a tenant is known: look-ups by secret, by playback id, and by the person who asks.
create policy at_the_door on user_account to headwater_door using (true);
create policy at_the_door on session to headwater_door using (true);
create policy at_the_door on tenant for select to headwater_door using (true);
create policy at_the_door on channel for select to headwater_door using (true);
create policy at_the_door on stream_key to headwater_door using (true);
create policy at_the_door on playback_id for select to headwater_door using (true);
create policy at_the_door on broadcast for select to headwater_door using (true);
create policy at_the_door on lease for select to headwater_door using (true);
create policy at_the_door on invitation for select to headwater_door using (true);
create policy at_the_door on api_token to headwater_door using (true);
create policy at_the_door on idempotency to headwater_door using (true);
create policy own_memberships on member for select to headwater_door
    using (user_id = current_setting('headwater.user_id', true));

grant select, insert, update on user_account, session to headwater_door;
grant select on tenant, channel, playback_id, broadcast, lease, member, invitation to headwater_door;
grant select on stream_key, api_token to headwater_door;
grant select, delete on idempotency to headwater_door;
grant update (last_used_at) on api_token to headwater_door;

grant select, insert, update on tenant, channel, stream_key to headwater_tenant;
grant select, insert, delete on playback_id to headwater_tenant;
grant select on broadcast, publish, lease to headwater_tenant;
grant select, insert, update, delete on member to headwater_tenant;
grant select, insert, update on invitation, api_token, idempotency to headwater_tenant;
grant select, insert on audit_entry to headwater_tenant;
grant select (user_id, email, email_key, name) on user_account to headwater_tenant;
