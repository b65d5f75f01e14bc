-- Why: a broadcast that nobody can watch yet is told from one that is on air; its owner can end it; keys say whether they are in use.
-- One writer: the api writes broadcast_end and broadcast_health. The scheduler goes on writing broadcast, publish and lease.
-- Deploy: update the api first, then workers, then the scheduler: an older worker does not say that its broadcast can be watched,
-- which then stays 'connecting', and an older api has no word for that. Rows of before are on air.

alter table broadcast
    -- When it could be watched for the first time.
    add column playable_at timestamptz;
update broadcast set playable_at = started_at;
alter table broadcast drop constraint broadcast_state;
alter table broadcast add constraint broadcast_state
    check (state in ('connecting', 'live', 'reconnecting', 'finishing', 'ended'));
drop index broadcast_one_open;
create unique index broadcast_one_open on broadcast (channel_id) where state in ('connecting', 'live', 'reconnecting');

-- Which key a publish was let in by.
alter table publish add column stream_key_id text;
create index publish_stream_key_idx on publish (stream_key_id) where stream_key_id is not null;

-- The owner wants it to end: the scheduler sees to that.
create table broadcast_end (
    broadcast_id text        not null,
    tenant_id    text        not null,
    asked_at     timestamptz not null default now(),
    constraint broadcast_end_pkey primary key (broadcast_id)
);
alter table broadcast_end enable row level security;
create policy tenant_isolation on broadcast_end using (tenant_id = current_setting('headwater.tenant_id', true));
grant select, insert on broadcast_end to headwater_tenant;

create or replace function asset_state_of(state text, duration_ms bigint) returns text immutable language sql as $$
    select case
        when state in ('connecting', 'live', 'reconnecting') then 'recording'
        when state = 'finishing' then 'preparing'
        when coalesce(duration_ms, 0) > 0 then 'ready'
        else 'errored'
    end
$$;

-- 'connecting' becomes 'live' with the first media that can be watched, which is told as broadcast.active, once.
create or replace function broadcast_tells() returns trigger language plpgsql as $$
begin
    perform event_tell(new.tenant_id, c.environment, 'broadcast.' || case new.state
            when 'connecting' then 'connected'
            when 'live' then 'connected'
            when 'reconnecting' then 'disconnected'
            when 'finishing' then 'idle'
            else 'ended'
        end, 'broadcast', new.broadcast_id, broadcast_told(new))
    from channel c where c.tenant_id = new.tenant_id and c.channel_id = new.channel_id;
    return null;
end
$$;
drop trigger broadcast_moved on broadcast;
create constraint trigger broadcast_moved after update on broadcast deferrable initially deferred for each row
    when (new.state <> old.state and not (old.state = 'connecting' and new.state = 'live'))
    execute function broadcast_tells();

drop trigger lease_confirmed on lease;
drop function lease_tells();
create function broadcast_playable_tells() returns trigger language plpgsql as $$
begin
    perform event_tell(new.tenant_id, c.environment, 'broadcast.active', 'broadcast', new.broadcast_id, broadcast_told(new))
    from channel c where c.tenant_id = new.tenant_id and c.channel_id = new.channel_id;
    return null;
end
$$;
create constraint trigger broadcast_playable after update on broadcast deferrable initially deferred for each row
    when (old.playable_at is null and new.playable_at is not null) execute function broadcast_playable_tells();

-- How a broadcast does, kept when that changes, so that it can be told. What it is from second to second is in Redis alone.
create table broadcast_health (
    broadcast_id text        not null,
    tenant_id    text        not null,
    status       text        not null,
    -- [{"code", "severity", "since"}], the gravest and oldest first.
    issues       jsonb       not null,
    changed_at   timestamptz not null default now(),
    constraint broadcast_health_pkey primary key (broadcast_id),
    constraint broadcast_health_status check (status in ('unknown', 'good', 'degraded', 'bad'))
);
alter table broadcast_health enable row level security;
create policy tenant_isolation on broadcast_health using (tenant_id = current_setting('headwater.tenant_id', true));
grant select, insert, update on broadcast_health to headwater_tenant;

create function broadcast_health_tells() returns trigger language plpgsql as $$
begin
    perform event_tell(new.tenant_id, c.environment, 'broadcast.health_changed', 'broadcast', new.broadcast_id,
        jsonb_build_object('id', new.broadcast_id, 'channelId', b.channel_id, 'status', upper(new.status),
                           'issues', new.issues, 'changedAt', told_at(new.changed_at)))
    from broadcast b join channel c on c.tenant_id = b.tenant_id and c.channel_id = b.channel_id
    where b.broadcast_id = new.broadcast_id and b.tenant_id = new.tenant_id;
    return null;
end
$$;
create constraint trigger broadcast_health_made after insert on broadcast_health deferrable initially deferred for each row
    when (new.issues <> '[]') execute function broadcast_health_tells();
create constraint trigger broadcast_health_moved after update on broadcast_health deferrable initially deferred for each row
    when ((new.status, new.issues) is distinct from (old.status, old.issues)) execute function broadcast_health_tells();
