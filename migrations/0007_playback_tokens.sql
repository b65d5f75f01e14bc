-- Why: a tenant says who may watch: signed playback ids show nothing without a token that one of its keys signed.
-- One writer: the api writes every table here.
-- Deploy: an older origin does not know signed playback ids and would show them to everybody: update origins before the first one
-- is made. New tables; a wider check.

alter table playback_id drop constraint playback_id_policy;
alter table playback_id add constraint playback_id_policy check (policy in ('public', 'signed'));

-- A replay has no policy of its own: it is signed where nobody may watch its channel without a token. A channel that is deleted
-- loses its playback ids and keeps what they said.
alter table channel add column kept_policy text, add constraint channel_kept_policy check (kept_policy in ('public', 'signed'));
create function replay_policy(of_tenant text, of_channel text) returns text stable language sql as $$
    select coalesce(
        (select case when bool_and(policy = 'signed') then 'signed' else 'public' end
         from playback_id where tenant_id = of_tenant and channel_id = of_channel having count(*) > 0),
        (select kept_policy from channel where tenant_id = of_tenant and channel_id = of_channel),
        'public')
$$;

-- The public half of a key. The private half is shown once, or was never here.
create table signing_key (
    signing_key_id text        not null,
    tenant_id      text        not null,
    environment    text        not null,
    name           text        not null,
    algorithm      text        not null,
    -- SubjectPublicKeyInfo in PEM.
    public_key     text        not null,
    imported       boolean     not null,
    created_at     timestamptz not null default now(),
    revoked_at     timestamptz,
    constraint signing_key_pkey primary key (signing_key_id),
    constraint signing_key_id_form check (signing_key_id ~ '^sgk_[a-z2-7]{24}$'),
    constraint signing_key_tenant_fkey foreign key (tenant_id) references tenant (tenant_id),
    constraint signing_key_environment check (environment in ('live', 'test')),
    constraint signing_key_algorithm check (algorithm in ('RS256', 'ES256', 'EdDSA')),
    constraint signing_key_name_length check (char_length(name) between 1 and 200)
);
create index signing_key_tenant_idx on signing_key (tenant_id, environment, created_at desc, signing_key_id desc);

-- Tokens that are good no more: one token by its id, or every token of a viewer that was issued before a moment. Kept for longer
-- than any token lives.
create table playback_revocation (
    tenant_id   text        not null,
    environment text        not null,
    kind        text        not null,
    subject     text        not null,
    revoked_at  timestamptz not null default clock_timestamp(),
    constraint playback_revocation_pkey primary key (tenant_id, environment, kind, subject),
    constraint playback_revocation_tenant_fkey foreign key (tenant_id) references tenant (tenant_id),
    constraint playback_revocation_kind check (kind in ('token', 'viewer')),
    constraint playback_revocation_subject check (char_length(subject) between 1 and 200)
);
create index playback_revocation_age_idx on playback_revocation (revoked_at);

-- Single-use tokens that were used.
create table playback_token_use (
    tenant_id   text        not null,
    environment text        not null,
    token_id    text        not null,
    used_at     timestamptz not null default now(),
    constraint playback_token_use_pkey primary key (tenant_id, environment, token_id),
    constraint playback_token_use_tenant_fkey foreign key (tenant_id) references tenant (tenant_id)
);
create index playback_token_use_age_idx on playback_token_use (used_at);

do $$
declare
    named text;
begin
    foreach named in array array['signing_key', 'playback_revocation', 'playback_token_use'] loop
        execute format('alter table %I enable row level security', named);
        execute format(
            'create policy tenant_isolation on %I using (tenant_id = current_setting(''headwater.tenant_id'', true))',
            named
        );
    end loop;
end
$$;
create policy past_its_time on playback_revocation to headwater_door using (revoked_at < now() - interval '32 days');
create policy past_its_time on playback_token_use to headwater_door using (used_at < now() - interval '32 days');
grant select, delete on playback_revocation, playback_token_use to headwater_door;
grant select, insert, update on signing_key, playback_revocation to headwater_tenant;
grant select, insert on playback_token_use to headwater_tenant;
