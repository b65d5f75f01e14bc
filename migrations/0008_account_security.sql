-- Why: people get mail (links and notices), choose a new password by a link, show that an address is theirs, have a second factor,
-- and sign in with an OpenID Connect provider.
-- One writer: the api writes every table here.
-- Deploy: new tables alone. An older api asks for no second factor: update every api before people are told of it.

-- What is to be sent by e-mail. Written in the transaction of what it tells of.
create table mail (
    mail_id    text        not null,
    -- What it is, for operators: password_reset, invitation, ...
    kind       text        not null,
    -- What it says and to whom, sealed: links hold secrets. Removed when it was sent or given up.
    sealed     bytea,
    created_at timestamptz not null default now(),
    state      text        not null default 'waiting',
    attempts   integer     not null default 0,
    -- Not before. Whoever sends it moves this ahead first, so that nobody else does.
    due_at     timestamptz not null default now(),
    ended_at   timestamptz,
    -- Why the last attempt failed.
    error      text,
    constraint mail_pkey primary key (mail_id),
    constraint mail_id_form check (mail_id ~ '^ml_[a-z2-7]{24}$'),
    constraint mail_state check (state in ('waiting', 'sent', 'dropped', 'failed')),
    constraint mail_sealed check ((state = 'waiting') = (sealed is not null))
);
create index mail_due_idx on mail (due_at) where state = 'waiting';
create index mail_ended_idx on mail (ended_at) where ended_at is not null;

-- A link that was mailed to somebody: whoever holds its secret reads their mail.
create table account_link (
    -- SHA-256 of the secret in hex.
    secret_sha256 text        not null,
    user_id       text        not null,
    purpose       text        not null,
    -- The address that it was sent to, in lower case.
    email_key     text        not null,
    created_at    timestamptz not null default now(),
    expires_at    timestamptz not null,
    used_at       timestamptz,
    constraint account_link_pkey primary key (secret_sha256),
    constraint account_link_user_fkey foreign key (user_id) references user_account (user_id),
    constraint account_link_secret_form check (secret_sha256 ~ '^[0-9a-f]{64}$'),
    constraint account_link_purpose check (purpose in ('password_reset', 'email_verification'))
);
create index account_link_user_idx on account_link (user_id, purpose);
create index account_link_expires_idx on account_link (expires_at);

-- Time-based one-time codes (RFC 6238). Asked for once confirmed.
create table second_factor (
    user_id      text        not null,
    -- The secret shared with the person's app, sealed under the person's id.
    secret       bytea       not null,
    created_at   timestamptz not null default now(),
    confirmed_at timestamptz,
    -- Time step of the last code that was accepted: none of that step or before is good again.
    last_step    bigint      not null default 0,
    constraint second_factor_pkey primary key (user_id),
    constraint second_factor_user_fkey foreign key (user_id) references user_account (user_id)
);

create table recovery_code (
    user_id     text        not null,
    -- SHA-256 of person and code in hex.
    code_sha256 text        not null,
    used_at     timestamptz,
    constraint recovery_code_pkey primary key (user_id, code_sha256),
    constraint recovery_code_user_fkey foreign key (user_id) references user_account (user_id)
);

-- Somebody showed a first factor and owes the second.
create table sign_in_challenge (
    secret_sha256 text        not null,
    user_id       text        not null,
    created_at    timestamptz not null default now(),
    expires_at    timestamptz not null,
    attempts      integer     not null default 0,
    used_at       timestamptz,
    constraint sign_in_challenge_pkey primary key (secret_sha256),
    constraint sign_in_challenge_user_fkey foreign key (user_id) references user_account (user_id),
    constraint sign_in_challenge_secret_form check (secret_sha256 ~ '^[0-9a-f]{64}$')
);
create index sign_in_challenge_user_idx on sign_in_challenge (user_id);
create index sign_in_challenge_expires_idx on sign_in_challenge (expires_at);

-- Whom an OpenID Connect provider means by a subject.
create table user_identity (
    issuer       text        not null,
    subject      text        not null,
    user_id      text        not null,
    created_at   timestamptz not null default now(),
    last_used_at timestamptz not null default now(),
    constraint user_identity_pkey primary key (issuer, subject),
    constraint user_identity_user_fkey foreign key (user_id) references user_account (user_id),
    constraint user_identity_length check (char_length(issuer) <= 2000 and char_length(subject) between 1 and 255)
);
create index user_identity_user_idx on user_identity (user_id);

-- Something known, sealed: shows at the start whether the keys still open what was sealed before. One row at most.
create table seal_check (
    one    boolean not null default true,
    sealed bytea   not null,
    constraint seal_check_pkey primary key (one),
    constraint seal_check_one check (one)
);

do $$
declare
    named text;
begin
    foreach named in array array['mail', 'account_link', 'second_factor', 'recovery_code', 'sign_in_challenge', 'user_identity',
                                 'seal_check'] loop
        execute format('alter table %I enable row level security', named);
        execute format('create policy at_the_door on %I to headwater_door using (true)', named);
    end loop;
end
$$;
grant select, insert, update, delete on mail, account_link, second_factor, recovery_code, sign_in_challenge to headwater_door;
grant select, insert, update on user_identity, seal_check to headwater_door;

-- A tenant's change may have something mailed; nobody reads what waits there.
create policy to_be_sent on mail for insert to headwater_tenant with check (true);
grant insert on mail to headwater_tenant;

-- What people do to their own accounts stands in the log of every tenant that they belong to.
create policy own_account on audit_entry for insert to headwater_door with check (
    subject_id = current_setting('headwater.user_id', true)
    and exists (select from member m where m.tenant_id = audit_entry.tenant_id and m.user_id = audit_entry.subject_id)
);
grant insert on audit_entry to headwater_door;
