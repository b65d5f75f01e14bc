-- Why: tenants are told what happens, at least once, in an order they can check, and can ask for what they missed.
-- One writer: the api writes webhook_endpoint, webhook_queue, webhook_delivery and webhook_attempt. Rows of webhook_event,
-- event_counter and new deliveries follow every change of channel, stream_key, broadcast, lease, asset, member and
-- webhook_endpoint by trigger, whoever makes the change: event and change are one transaction.
-- Deploy: new tables and triggers; the older api and scheduler go on beside them, and their changes are told as well.

-- An id made in the database: 96 random bits in the first half of the ids' alphabet.
create function random_id(prefix text) returns text volatile language sql as $$
    select prefix || translate(substr(h, 1, 12) || substr(h, 14, 3) || substr(h, 18, 9), '0123456789abcdef', 'abcdefghijklmnop')
    from (select replace(gen_random_uuid()::text, '-', '') as h) u
$$;

-- An instant as GraphQL shows it.
create function told_at(at timestamptz) returns text immutable language sql as $$
    select to_char(at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;

-- The last number given out: of a tenant's events in one environment (scope ''), and of one object's (its id). Whoever takes
-- one holds the row until the end of the transaction, so numbers appear in the order in which they can be read. No foreign key
-- here and on events: its check would lock the tenant's row after the counter, which others lock the other way round.
create table event_counter (
    tenant_id   text   not null,
    environment text   not null,
    scope       text   not null,
    last        bigint not null,
    constraint event_counter_pkey primary key (tenant_id, environment, scope)
);

-- What happened. Kept for 30 days.
create table webhook_event (
    event_id    text        not null,
    tenant_id   text        not null,
    environment text        not null,
    -- Counts the environment's events without gaps: where a reader goes on.
    position    bigint      not null,
    type        text        not null,
    object_type text        not null,
    object_id   text        not null,
    -- Counts the object's events from 1 without gaps.
    sequence    bigint      not null,
    data        jsonb       not null,
    created_at  timestamptz not null default clock_timestamp(),
    constraint webhook_event_pkey primary key (event_id),
    constraint webhook_event_id_form check (event_id ~ '^evt_[a-z2-7]{24}$'),
    constraint webhook_event_position_key unique (tenant_id, environment, position),
    constraint webhook_event_sequence_key unique (tenant_id, object_id, sequence)
);
create index webhook_event_created_idx on webhook_event (created_at);

create table webhook_endpoint (
    webhook_endpoint_id text        not null,
    tenant_id           text        not null,
    environment         text        not null,
    url                 text        not null,
    description         text        not null default '',
    -- Which types it wants; none: all of them.
    event_types         text[]      not null default '{}',
    -- Sealed by the api: needed in the clear for every signature, and so encrypted rather than hashed.
    secret              bytea       not null,
    secret_hint         text        not null,
    -- The one before, which signs beside it until then.
    old_secret          bytea,
    old_secret_until    timestamptz,
    disabled_at         timestamptz,
    -- 'owner', or what the service saw: 'gone' (410), 'failing' (for days).
    disabled_cause      text,
    -- Since when no attempt has succeeded; null after one that did.
    failing_since       timestamptz,
    -- The row stays for its log.
    deleted_at          timestamptz,
    created_at          timestamptz not null default now(),
    updated_at          timestamptz not null default now(),
    version             integer     not null default 1,
    constraint webhook_endpoint_pkey primary key (webhook_endpoint_id),
    constraint webhook_endpoint_id_form check (webhook_endpoint_id ~ '^wh_[a-z2-7]{24}$'),
    constraint webhook_endpoint_tenant_fkey foreign key (tenant_id) references tenant (tenant_id),
    constraint webhook_endpoint_of_tenant_key unique (tenant_id, webhook_endpoint_id),
    constraint webhook_endpoint_environment check (environment in ('live', 'test')),
    constraint webhook_endpoint_url_length check (char_length(url) between 1 and 2000),
    constraint webhook_endpoint_description_length check (char_length(description) <= 200),
    constraint webhook_endpoint_old_secret check ((old_secret is null) = (old_secret_until is null)),
    constraint webhook_endpoint_disabled check ((disabled_at is null) = (disabled_cause is null)),
    constraint webhook_endpoint_cause check (disabled_cause in ('owner', 'gone', 'failing'))
);
create index webhook_endpoint_tenant_idx on webhook_endpoint (tenant_id, environment, created_at desc, webhook_endpoint_id desc)
    where deleted_at is null;

-- One queue per endpoint: when it is to be looked at, and which process does. All that is known before the tenant is.
create table webhook_queue (
    webhook_endpoint_id text        not null,
    tenant_id           text        not null,
    -- The first delivery that is due; null: none waits.
    due_at              timestamptz,
    -- No attempt before this: the endpoint failed several times in a row.
    paused_until        timestamptz,
    failures            integer     not null default 0,
    -- Deliveries that wait, at most 100,000; what happens beyond is found by cursor alone.
    waiting             integer     not null default 0,
    -- The process that works on it now, and until when it may.
    claim               text,
    claimed_until       timestamptz,
    constraint webhook_queue_pkey primary key (webhook_endpoint_id),
    constraint webhook_queue_endpoint_fkey foreign key (tenant_id, webhook_endpoint_id)
        references webhook_endpoint (tenant_id, webhook_endpoint_id) on delete cascade
);
create index webhook_queue_due_idx on webhook_queue (due_at) where due_at is not null;

create table webhook_delivery (
    webhook_delivery_id text        not null,
    tenant_id           text        not null,
    webhook_endpoint_id text        not null,
    event_id            text        not null,
    position            bigint      not null,
    state               text        not null default 'pending',
    attempts            integer     not null default 0,
    due_at              timestamptz not null default now(),
    created_at          timestamptz not null default clock_timestamp(),
    ended_at            timestamptz,
    constraint webhook_delivery_pkey primary key (webhook_delivery_id),
    constraint webhook_delivery_id_form check (webhook_delivery_id ~ '^whd_[a-z2-7]{24}$'),
    constraint webhook_delivery_endpoint_fkey foreign key (tenant_id, webhook_endpoint_id)
        references webhook_endpoint (tenant_id, webhook_endpoint_id) on delete cascade,
    constraint webhook_delivery_event_fkey foreign key (event_id) references webhook_event (event_id) on delete cascade,
    constraint webhook_delivery_state check (state in ('pending', 'delivered', 'failed', 'cancelled')),
    constraint webhook_delivery_ended check ((state = 'pending') = (ended_at is null))
);
create index webhook_delivery_due_idx on webhook_delivery (webhook_endpoint_id, due_at, position) where state = 'pending';
create index webhook_delivery_log_idx on webhook_delivery (webhook_endpoint_id, created_at desc, webhook_delivery_id desc);
create index webhook_delivery_event_idx on webhook_delivery (event_id);

-- The log: every attempt, and as much of the answer as is kept.
create table webhook_attempt (
    webhook_delivery_id text        not null,
    number              integer     not null,
    tenant_id           text        not null,
    at                  timestamptz not null,
    duration_ms         integer     not null,
    status              integer,
    -- Why there is no answer.
    error               text,
    answer              text        not null default '',
    constraint webhook_attempt_pkey primary key (webhook_delivery_id, number),
    constraint webhook_attempt_delivery_fkey foreign key (webhook_delivery_id)
        references webhook_delivery (webhook_delivery_id) on delete cascade,
    constraint webhook_attempt_answer_length check (char_length(answer) <= 4096)
);

do $$
declare
    named text;
begin
    foreach named in array array['event_counter', 'webhook_event', 'webhook_endpoint', 'webhook_queue', 'webhook_delivery',
                                 'webhook_attempt'] loop
        execute format('alter table %I enable row level security', named);
        execute format(
            'create policy tenant_isolation on %I using (tenant_id = current_setting(''headwater.tenant_id'', true))',
            named
        );
    end loop;
end
$$;
create policy at_the_door on webhook_queue to headwater_door using (true);
-- The door may remove what is past its time, and see no more of it than that.
create policy past_its_time on webhook_event to headwater_door using (created_at < now() - interval '30 days');
create policy past_its_time on webhook_endpoint to headwater_door using (deleted_at < now() - interval '31 days');

grant select, update on webhook_queue to headwater_door;
grant select, delete on webhook_event, webhook_endpoint to headwater_door;
grant select, insert, update on event_counter, webhook_endpoint, webhook_queue, webhook_delivery to headwater_tenant;
grant select, insert on webhook_event, webhook_attempt to headwater_tenant;

-- Takes the environment's counter, which all who tell events take first; before the row of a queue where both are needed.
create function event_turn(of_tenant text, of_environment text) returns void language sql as $$
    insert into event_counter as c (tenant_id, environment, scope, last) values (of_tenant, of_environment, '', 0)
    on conflict on constraint event_counter_pkey do update set last = c.last
$$;

create function event_number(of_tenant text, of_environment text, of_scope text) returns bigint language sql as $$
    insert into event_counter as c (tenant_id, environment, scope, last) values (of_tenant, of_environment, of_scope, 1)
    on conflict on constraint event_counter_pkey do update set last = c.last + 1
    returning last
$$;

-- Writes an event and a delivery for each endpoint that wants it; with `just_to`, for that endpoint alone, wanted or not.
create function event_tell(of_tenant text, of_environment text, what text, kind text, object text, said jsonb,
                           just_to text default null) returns text language plpgsql as $$
declare
    made text := random_id('evt_');
    place bigint;
begin
    place := event_number(of_tenant, of_environment, '');
    insert into webhook_event (event_id, tenant_id, environment, position, type, object_type, object_id, sequence, data)
    values (made, of_tenant, of_environment, place, what, kind, object,
            event_number(of_tenant, of_environment, object), said);
    with wanting as (
        update webhook_queue q set waiting = q.waiting + 1, due_at = least(q.due_at, now())
        from webhook_endpoint e
        where e.webhook_endpoint_id = q.webhook_endpoint_id and e.tenant_id = of_tenant and e.environment = of_environment
            and e.disabled_at is null and e.deleted_at is null and q.waiting < 100000
            and (e.webhook_endpoint_id = just_to
                 or just_to is null and (e.event_types = '{}' or what = any (e.event_types)))
        returning q.webhook_endpoint_id
    )
    insert into webhook_delivery (webhook_delivery_id, tenant_id, webhook_endpoint_id, event_id, position)
    select random_id('whd_'), of_tenant, w.webhook_endpoint_id, made, place from wanting w;
    perform pg_notify('headwater_webhook', '');
    return made;
end
$$;

-- The triggers are deferred to the end of the transaction: what they lock is held for as short as can be, and after
-- everything else.

create function channel_tells() returns trigger language plpgsql as $$
begin
    perform event_tell(new.tenant_id, new.environment, 'channel.' || case
            when tg_op = 'INSERT' then 'created'
            when new.deleted_at is not null then 'deleted'
            when old.disabled_at is null and new.disabled_at is not null then 'disabled'
            when old.disabled_at is not null and new.disabled_at is null then 'enabled'
            else 'updated'
        end, 'channel', new.channel_id,
        jsonb_build_object(
            'id', new.channel_id, 'title', new.title, 'reference', new.reference, 'metadata', new.metadata,
            'latencyMode', upper(new.latency_mode), 'reconnectWindowS', new.reconnect_window_s,
            'bitrateMaxBps', new.bitrate_max_bps, 'disabled', new.disabled_at is not null,
            'createdAt', told_at(new.created_at), 'updatedAt', told_at(new.updated_at), 'version', new.version));
    return null;
end
$$;
create constraint trigger channel_made after insert on channel deferrable initially deferred
    for each row execute function channel_tells();
create constraint trigger channel_moved after update on channel deferrable initially deferred
    for each row when (new.version <> old.version) execute function channel_tells();

create function stream_key_tells() returns trigger language plpgsql as $$
begin
    perform event_tell(new.tenant_id, c.environment, 'stream_key.' || case
            when tg_op = 'INSERT' then 'created'
            when old.revoked_at is null and new.revoked_at is not null then 'revoked'
            else 'updated'
        end, 'stream_key', new.stream_key_id,
        jsonb_build_object(
            'id', new.stream_key_id, 'channelId', new.channel_id, 'label', new.label, 'hint', new.hint,
            'expiresAt', told_at(new.expires_at), 'revokedAt', told_at(new.revoked_at),
            'createdAt', told_at(new.created_at)))
    from channel c where c.tenant_id = new.tenant_id and c.channel_id = new.channel_id;
    return null;
end
$$;
create constraint trigger stream_key_made after insert on stream_key deferrable initially deferred
    for each row execute function stream_key_tells();
create constraint trigger stream_key_moved after update on stream_key deferrable initially deferred for each row
    when ((new.label, new.expires_at, new.revoked_at) is distinct from (old.label, old.expires_at, old.revoked_at))
    execute function stream_key_tells();

create function broadcast_told(b broadcast) returns jsonb language sql as $$
    select jsonb_build_object(
        'id', b.broadcast_id, 'channelId', b.channel_id, 'assetId', 'as_' || substr(b.broadcast_id, 4),
        'lifecycle', case b.state when 'finishing' then 'ENDING' else upper(b.state) end,
        'latencyMode', upper(b.latency_mode), 'startedAt', told_at(b.started_at),
        'disconnectedAt', told_at(b.away_at), 'disconnectedCause', upper(b.away_cause),
        'endingAt', told_at(b.finishing_at), 'endingCause', upper(b.finishing_cause),
        'endedAt', told_at(b.ended_at), 'durationMs', b.duration_ms, 'error', b.error)
$$;

create function broadcast_tells() returns trigger language plpgsql as $$
begin
    perform event_tell(new.tenant_id, c.environment, 'broadcast.' || case new.state
            when 'live' then 'connected'
            when 'reconnecting' then 'disconnected'
            when 'finishing' then 'idle'
            else 'ended'
        end, 'broadcast', new.broadcast_id, broadcast_told(new))
    from channel c where c.tenant_id = new.tenant_id and c.channel_id = new.channel_id;
    return null;
end
$$;
create constraint trigger broadcast_made after insert on broadcast deferrable initially deferred
    for each row execute function broadcast_tells();
create constraint trigger broadcast_moved after update on broadcast deferrable initially deferred
    for each row when (new.state <> old.state) execute function broadcast_tells();

-- A worker has confirmed for the first time that it pulls the broadcast: from here on it is recorded and can be watched.
create function lease_tells() returns trigger language plpgsql as $$
begin
    perform event_tell(b.tenant_id, c.environment, 'broadcast.active', 'broadcast', b.broadcast_id, broadcast_told(b))
    from broadcast b join channel c on c.tenant_id = b.tenant_id and c.channel_id = b.channel_id
    where b.broadcast_id = new.broadcast_id and b.state <> 'ended'
        and not exists (select from webhook_event e where e.tenant_id = b.tenant_id and e.object_id = b.broadcast_id
                        and e.type = 'broadcast.active');
    return null;
end
$$;
create constraint trigger lease_confirmed after update on lease deferrable initially deferred
    for each row when (old.acked_at is null and new.acked_at is not null) execute function lease_tells();

create function asset_tells() returns trigger language plpgsql as $$
begin
    perform event_tell(new.tenant_id, new.environment, 'asset.' || case
            when tg_op = 'INSERT' then 'created'
            when new.state <> old.state then new.state
            else 'updated'
        end, 'asset', new.asset_id,
        jsonb_build_object(
            'id', new.asset_id, 'channelId', new.channel_id, 'broadcastId', new.broadcast_id, 'title', new.title,
            'metadata', new.metadata, 'state', upper(new.state), 'durationMs', new.duration_ms,
            'sizeBytes', new.size_bytes, 'error', new.error,
            'playbackId', (select b.playback_id from broadcast b where b.broadcast_id = new.broadcast_id),
            'createdAt', told_at(new.created_at), 'updatedAt', told_at(new.updated_at), 'version', new.version));
    return null;
end
$$;
create constraint trigger asset_made after insert on asset deferrable initially deferred
    for each row execute function asset_tells();
create constraint trigger asset_moved after update on asset deferrable initially deferred for each row
    when ((new.state <> old.state and new.state in ('ready', 'errored'))
          or (new.title, new.metadata) is distinct from (old.title, old.metadata))
    execute function asset_tells();

-- Members belong to no environment; who listens to the live one is told.
create function member_tells() returns trigger language plpgsql as $$
declare
    who member := case tg_op when 'DELETE' then old else new end;
begin
    perform event_tell(who.tenant_id, 'live', 'member.' || case tg_op
            when 'INSERT' then 'created'
            when 'UPDATE' then 'updated'
            else 'deleted'
        end, 'member', who.member_id,
        jsonb_build_object('id', who.member_id, 'userId', who.user_id, 'role', upper(who.role),
                           'joinedAt', told_at(who.joined_at)));
    return null;
end
$$;
create constraint trigger member_moved after insert or update or delete on member deferrable initially deferred
    for each row execute function member_tells();

-- What the service itself switched off is told; what its owner did, they know.
create function webhook_endpoint_tells() returns trigger language plpgsql as $$
begin
    perform event_tell(new.tenant_id, new.environment, 'webhook_endpoint.disabled', 'webhook_endpoint',
        new.webhook_endpoint_id,
        jsonb_build_object(
            'id', new.webhook_endpoint_id, 'url', new.url, 'description', new.description,
            'disabledAt', told_at(new.disabled_at), 'disabledCause', upper(new.disabled_cause),
            'failingSince', told_at(new.failing_since)));
    return null;
end
$$;
create constraint trigger webhook_endpoint_given_up after update on webhook_endpoint deferrable initially deferred for each row
    when (old.disabled_at is null and new.disabled_at is not null and new.disabled_cause <> 'owner')
    execute function webhook_endpoint_tells();
