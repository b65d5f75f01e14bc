-- Why: who may publish, to which lasting address, and what viewers call that address.
-- One writer: the api writes tenant, channel, stream_key and playback_id. The scheduler reads channel and playback_id.
-- Deploy: first tables; no older code exists beside them.
--
-- Ids are text: a prefix and 24 characters of [a-z2-7]. Every row carries its tenant, and foreign keys carry it along,
-- so that no row can point into another tenant. Constraints are named where the api turns them into an answer.

create table tenant (
    tenant_id    text        not null,
    slug         text        not null,
    name         text        not null,
    suspended_at timestamptz,
    created_at   timestamptz not null default now(),
    constraint tenant_pkey primary key (tenant_id),
    constraint tenant_id_form check (tenant_id ~ '^ten_[a-z2-7]{24}$'),
    constraint tenant_slug_key unique (slug),
    constraint tenant_slug_form check (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    constraint tenant_name_length check (char_length(name) between 1 and 200)
);

create table channel (
    channel_id         text        not null,
    tenant_id          text        not null,
    -- The tenant's own name for it, unique within the tenant where given.
    reference          text,
    title              text        not null,
    latency_mode       text        not null default 'low',
    -- How long a publisher that vanished may come back and continue its broadcast.
    reconnect_window_s integer     not null default 60,
    -- Which renditions: the JSON of the ladder policy.
    ladder             jsonb       not null default '{"kind": "default"}',
    -- Most bits/s a publisher may send over ten seconds; null: the edge's own limit.
    bitrate_max_bps    bigint,
    created_at         timestamptz not null default now(),
    constraint channel_pkey primary key (channel_id),
    constraint channel_id_form check (channel_id ~ '^ch_[a-z2-7]{24}$'),
    constraint channel_tenant_fkey foreign key (tenant_id) references tenant (tenant_id),
    constraint channel_of_tenant_key unique (tenant_id, channel_id),
    constraint channel_reference_key unique (tenant_id, reference),
    constraint channel_reference_length check (char_length(reference) between 1 and 200),
    constraint channel_title_length check (char_length(title) between 1 and 200),
    constraint channel_latency_mode check (latency_mode in ('low', 'standard')),
    constraint channel_reconnect_window check (reconnect_window_s between 0 and 3600),
    constraint channel_bitrate_max check (bitrate_max_bps > 0),
    constraint channel_ladder_kind check (ladder ->> 'kind' in ('default', 'source', 'encoded', 'custom'))
);

-- A channel has as many live keys as its owner likes: that is how a key is rotated without a gap.
create table stream_key (
    stream_key_id text        not null,
    tenant_id     text        not null,
    channel_id    text        not null,
    -- SHA-256 of the key in hex; the key itself is shown once and kept nowhere.
    key_sha256    text        not null,
    label         text        not null default '',
    expires_at    timestamptz,
    revoked_at    timestamptz,
    created_at    timestamptz not null default now(),
    constraint stream_key_pkey primary key (stream_key_id),
    constraint stream_key_id_form check (stream_key_id ~ '^skid_[a-z2-7]{24}$'),
    constraint stream_key_channel_fkey foreign key (tenant_id, channel_id) references channel (tenant_id, channel_id),
    constraint stream_key_sha256_key unique (key_sha256),
    constraint stream_key_sha256_form check (key_sha256 ~ '^[0-9a-f]{64}$'),
    constraint stream_key_label_length check (char_length(label) <= 200)
);
create index stream_key_channel_idx on stream_key (channel_id);

-- What public URLs carry in place of a tenant's or a channel's id.
create table playback_id (
    playback_id text        not null,
    tenant_id   text        not null,
    channel_id  text        not null,
    policy      text        not null default 'public',
    created_at  timestamptz not null default now(),
    constraint playback_id_pkey primary key (playback_id),
    constraint playback_id_form check (playback_id ~ '^pb_[a-z2-7]{24}$'),
    constraint playback_id_channel_fkey foreign key (tenant_id, channel_id) references channel (tenant_id, channel_id),
    constraint playback_id_policy check (policy in ('public'))
);
create index playback_id_channel_idx on playback_id (channel_id);
