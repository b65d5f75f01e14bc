-- Why: what is on air, which worker holds the right to write it, and what became of it.
-- One writer: the scheduler writes broadcast, publish and lease. The api reads them.
-- Deploy: first tables; no older code exists beside them. Channel and tenant are checked when a broadcast is opened and
-- not by foreign key, so that the two halves can move to databases of their own.

create table broadcast (
    broadcast_id       text        not null,
    tenant_id          text        not null,
    channel_id         text        not null,
    -- Public id of this broadcast's own replay.
    playback_id        text        not null,
    state              text        not null,
    -- The channel's settings when it began: they hold until it ends.
    latency_mode       text        not null,
    reconnect_window_s integer     not null,
    -- The publish that may send now.
    publish_id         text        not null,
    edge_url           text        not null,
    -- Unix milliseconds of timeline 0.
    anchor_ms          bigint      not null,
    -- What the publisher sends, and the whole ladder that fits it, whether or not there was room for it.
    source             jsonb       not null,
    ladder             jsonb       not null,
    -- W3C trace context that every process follows for this broadcast; empty without trace export.
    traceparent        text        not null default '',
    started_at         timestamptz not null,
    -- Set while reconnecting: since when, and who said so ('publisher': the edge, 'link': the worker lost the edge).
    away_at            timestamptz,
    away_cause         text,
    -- Set from finishing on: since when, and why ('publisher', 'window', 'worker').
    finishing_at       timestamptz,
    finishing_cause    text,
    ended_at           timestamptz,
    -- The replay, from ended on.
    duration_ms        bigint,
    size_bytes         bigint,
    -- Why there is no whole replay; null when there is.
    error              text,
    constraint broadcast_pkey primary key (broadcast_id),
    constraint broadcast_id_form check (broadcast_id ~ '^br_[a-z2-7]{24}$'),
    constraint broadcast_playback_key unique (playback_id),
    constraint broadcast_playback_form check (playback_id ~ '^pb_[a-z2-7]{24}$'),
    constraint broadcast_state check (state in ('live', 'reconnecting', 'finishing', 'ended')),
    constraint broadcast_away check ((state = 'reconnecting') = (away_at is not null)),
    constraint broadcast_away_cause check ((away_at is null) = (away_cause is null)),
    constraint broadcast_finishing check (state not in ('finishing', 'ended') or finishing_at is not null),
    constraint broadcast_ended check ((state = 'ended') = (ended_at is not null))
);
-- A channel has one open broadcast: two schedulers could not open two.
create unique index broadcast_one_open on broadcast (channel_id) where state in ('live', 'reconnecting');
create index broadcast_unfinished_idx on broadcast (broadcast_id) where state <> 'ended';
create index broadcast_channel_idx on broadcast (channel_id, started_at desc);

-- Every publish that ever opened or continued a broadcast: asking twice gives the same answer twice.
create table publish (
    publish_id   text        not null,
    broadcast_id text        not null,
    tenant_id    text        not null,
    -- Counts from 0 within the broadcast.
    number       integer     not null,
    edge_url     text        not null,
    opened_at    timestamptz not null,
    constraint publish_pkey primary key (publish_id),
    constraint publish_id_form check (publish_id ~ '^pub_[a-z2-7]{24}$'),
    constraint publish_broadcast_fkey foreign key (broadcast_id) references broadcast (broadcast_id),
    constraint publish_number_key unique (broadcast_id, number),
    constraint publish_number check (number >= 0)
);

-- The right to write one broadcast. The row stays when the broadcast has ended, so its generation never comes again.
create table lease (
    broadcast_id   text        not null,
    tenant_id      text        not null,
    generation     bigint      not null,
    worker_id      text        not null,
    worker_url     text        not null,
    -- The ladder this worker was given, and the whole one it was cut from for want of room.
    ladder         jsonb       not null,
    wanted         jsonb       not null,
    granted_at     timestamptz not null,
    expires_at     timestamptz not null,
    -- The edge this worker has confirmed that it pulls from, and when; null until it has confirmed the lease.
    acked_edge_url text,
    acked_at       timestamptz,
    constraint lease_pkey primary key (broadcast_id),
    constraint lease_broadcast_fkey foreign key (broadcast_id) references broadcast (broadcast_id),
    constraint lease_generation check (generation >= 1),
    constraint lease_acked check ((acked_edge_url is null) = (acked_at is null))
);
create index lease_worker_idx on lease (worker_id);

-- A generation only grows, whoever writes.
create function lease_generation_grows() returns trigger language plpgsql as $$
begin
    if new.generation < old.generation
        or (new.generation = old.generation and new.worker_id <> old.worker_id) then
        raise exception 'lease of % cannot go from generation % of % to generation % of %',
            old.broadcast_id, old.generation, old.worker_id, new.generation, new.worker_id
            using errcode = 'check_violation', constraint = 'lease_generation_grows';
    end if;
    return new;
end
$$;
create trigger lease_generation_grows before update on lease
    for each row execute function lease_generation_grows();
