-- Why: channels are edited side by side, belong to the live or the test environment, and end; replays are objects of
-- their own; whoever watches a channel is told of changes.
-- One writer: the api writes channel, stream_key and asset; rows of asset follow the scheduler's broadcast by trigger.
-- Deploy: new columns have defaults; the older api and scheduler go on beside them.

alter table channel
    add column environment text        not null default 'live',
    -- The tenant's own words, a JSON object.
    add column metadata    jsonb       not null default '{}',
    -- Since when no new publisher is let in.
    add column disabled_at timestamptz,
    -- The row stays for its broadcasts and replays.
    add column deleted_at  timestamptz,
    add column updated_at  timestamptz not null default now(),
    -- Goes up with every change: who changes an older one is refused.
    add column version     integer     not null default 1,
    add constraint channel_environment check (environment in ('live', 'test')),
    add constraint channel_metadata check (jsonb_typeof(metadata) = 'object' and octet_length(metadata::text) <= 16384);

-- A reference is unique within its environment. Deleting a channel frees it.
alter table channel drop constraint channel_reference_key;
create unique index channel_reference_key on channel (tenant_id, environment, reference);
create index channel_created_idx on channel (tenant_id, environment, created_at desc, channel_id desc)
    where deleted_at is null;
create index channel_title_idx on channel (tenant_id, environment, title, channel_id) where deleted_at is null;

alter table stream_key
    -- Its last characters, for people who compare; empty for keys made before this column.
    add column hint         text        not null default '',
    -- Kept to the minute.
    add column last_used_at timestamptz,
    add constraint stream_key_hint_length check (char_length(hint) <= 8);
create index stream_key_tenant_idx on stream_key (tenant_id, channel_id, created_at desc, stream_key_id desc);
grant update (last_used_at) on stream_key to headwater_door;

create index broadcast_tenant_idx on broadcast (tenant_id, started_at desc, broadcast_id desc);

-- A replay, from the broadcast's first moment on.
create table asset (
    asset_id     text        not null,
    tenant_id    text        not null,
    environment  text        not null,
    channel_id   text        not null,
    broadcast_id text        not null,
    title        text        not null,
    metadata     jsonb       not null default '{}',
    state        text        not null,
    duration_ms  bigint,
    size_bytes   bigint,
    error        text,
    created_at   timestamptz not null,
    updated_at   timestamptz not null default now(),
    version      integer     not null default 1,
    constraint asset_pkey primary key (asset_id),
    constraint asset_id_form check (asset_id ~ '^as_[a-z2-7]{24}$'),
    constraint asset_broadcast_key unique (broadcast_id),
    constraint asset_channel_fkey foreign key (tenant_id, channel_id) references channel (tenant_id, channel_id),
    constraint asset_environment check (environment in ('live', 'test')),
    constraint asset_title_length check (char_length(title) between 1 and 200),
    constraint asset_state check (state in ('recording', 'preparing', 'ready', 'errored'))
);
create index asset_created_idx on asset (tenant_id, environment, created_at desc, asset_id desc);
create index asset_channel_idx on asset (channel_id, created_at desc, asset_id desc);
alter table asset enable row level security;
create policy tenant_isolation on asset using (tenant_id = current_setting('headwater.tenant_id', true));
grant select, update on asset to headwater_tenant;

-- 'errored' where nothing can be watched; a replay with a gap is ready and says so in `error`.
create function asset_state_of(state text, duration_ms bigint) returns text immutable language sql as $$
    select case
        when state in ('live', 'reconnecting') then 'recording'
        when state = 'finishing' then 'preparing'
        when coalesce(duration_ms, 0) > 0 then 'ready'
        else 'errored'
    end
$$;

create function asset_follows_broadcast() returns trigger language plpgsql as $$
begin
    insert into asset (asset_id, tenant_id, environment, channel_id, broadcast_id, title, state,
                       duration_ms, size_bytes, error, created_at)
    select 'as_' || substr(new.broadcast_id, 4), new.tenant_id, c.environment, new.channel_id, new.broadcast_id, c.title,
           asset_state_of(new.state, new.duration_ms), new.duration_ms, new.size_bytes, new.error, new.started_at
    from channel c where c.tenant_id = new.tenant_id and c.channel_id = new.channel_id
    on conflict on constraint asset_broadcast_key do update set
        state = excluded.state, duration_ms = excluded.duration_ms, size_bytes = excluded.size_bytes,
        error = excluded.error, updated_at = now(), version = asset.version + 1;
    return null;
end
$$;
create trigger asset_follows_broadcast after insert or update of state, duration_ms, size_bytes, error on broadcast
    for each row execute function asset_follows_broadcast();

insert into asset (asset_id, tenant_id, environment, channel_id, broadcast_id, title, state,
                   duration_ms, size_bytes, error, created_at)
select 'as_' || substr(b.broadcast_id, 4), b.tenant_id, c.environment, b.channel_id, b.broadcast_id, c.title,
       asset_state_of(b.state, b.duration_ms), b.duration_ms, b.size_bytes, b.error, b.started_at
from broadcast b join channel c on c.tenant_id = b.tenant_id and c.channel_id = b.channel_id;

-- Tells every api what changed: `tenant channel broadcast`, the last empty where none is concerned. A listener that was away
-- looks again at everything, so a lost message costs time and no fact.
create function channel_changed() returns trigger language plpgsql as $$
declare
    changed jsonb := to_jsonb(case tg_op when 'DELETE' then old else new end);
begin
    perform pg_notify('headwater_changed', concat_ws(' ', changed ->> 'tenant_id', changed ->> 'channel_id',
                                                     coalesce(changed ->> 'broadcast_id', '')));
    return null;
end
$$;
create trigger channel_changed after insert or update on channel for each row execute function channel_changed();
create trigger channel_changed after insert or update of label, expires_at, revoked_at on stream_key
    for each row execute function channel_changed();
create trigger channel_changed after insert or delete on playback_id for each row execute function channel_changed();
create trigger channel_changed after insert or update of state, source, ladder, duration_ms, error on broadcast
    for each row execute function channel_changed();
