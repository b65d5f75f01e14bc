-- Why: a channel may leave nothing behind: its broadcasts are watched as any other, and when one ends its media is removed at once.
-- One writer: the api writes channel.recording. The scheduler takes it over when it opens a broadcast, and never changes it after.
-- Rows of asset go on following every broadcast by trigger; that of an unrecorded one is shown to nobody and serves its removal.
-- Deploy: new columns with defaults. Update schedulers, apis and origins before the first channel is set to 'none': an older
-- scheduler opens recorded broadcasts, and an older api shows an asset that is being deleted.

alter table channel
    -- What is kept of its broadcasts, from the next one on.
    add column recording text not null default 'record',
    add constraint channel_recording check (recording in ('record', 'none'));
alter table broadcast
    -- The channel's setting when it began.
    add column recording text not null default 'record',
    add constraint broadcast_recording check (recording in ('record', 'none'));

-- What was not recorded is deleted from its end on, with nothing to undo.
create or replace function asset_follows_broadcast() returns trigger language plpgsql as $$
begin
    insert into asset (asset_id, tenant_id, environment, channel_id, broadcast_id, title, state,
                       duration_ms, size_bytes, error, created_at, deletes_at)
    select 'as_' || substr(new.broadcast_id, 4), new.tenant_id, c.environment, new.channel_id, new.broadcast_id, c.title,
           asset_state_of(new.state, new.duration_ms), new.duration_ms, new.size_bytes, new.error, new.started_at,
           case when new.recording = 'none' and new.state = 'ended' then now() end
    from channel c where c.tenant_id = new.tenant_id and c.channel_id = new.channel_id
    on conflict on constraint asset_broadcast_key do update set
        state = excluded.state, duration_ms = excluded.duration_ms, size_bytes = excluded.size_bytes,
        error = excluded.error, deletes_at = coalesce(asset.deletes_at, excluded.deletes_at),
        updated_at = now(), version = asset.version + 1;
    return null;
end
$$;

-- As before, but for unrecorded broadcasts: of those there is no asset to tell of.
create or replace function asset_tells() returns trigger language plpgsql as $$
declare
    of_broadcast broadcast;
begin
    select * into of_broadcast from broadcast b where b.broadcast_id = new.broadcast_id;
    if of_broadcast.recording = 'none' then
        return null;
    end if;
    perform event_tell(new.tenant_id, new.environment, 'asset.' || case
            when tg_op = 'INSERT' then 'created'
            when new.state <> old.state then new.state
            else 'updated'
        end, 'asset', new.asset_id,
        jsonb_build_object(
            'id', new.asset_id, 'channelId', new.channel_id, 'broadcastId', new.broadcast_id, 'title', new.title,
            'metadata', new.metadata, 'state', upper(new.state), 'durationMs', new.duration_ms,
            'sizeBytes', new.size_bytes, 'error', new.error, 'playbackId', of_broadcast.playback_id,
            'policy', upper(coalesce(new.policy, replay_policy(new.tenant_id, new.channel_id))),
            'deletesAt', case when new.state <> 'deleted' then told_at(new.deletes_at) end,
            'createdAt', told_at(new.created_at), 'updatedAt', told_at(new.updated_at), 'version', new.version));
    return null;
end
$$;

create or replace function broadcast_told(b broadcast) returns jsonb language sql as $$
    select jsonb_build_object(
        'id', b.broadcast_id, 'channelId', b.channel_id,
        'assetId', case b.recording when 'record' then 'as_' || substr(b.broadcast_id, 4) end,
        'recording', upper(b.recording),
        'lifecycle', case b.state when 'finishing' then 'ENDING' else upper(b.state) end,
        'latencyMode', upper(b.latency_mode), 'startedAt', told_at(b.started_at),
        'disconnectedAt', told_at(b.away_at), 'disconnectedCause', upper(b.away_cause),
        'endingAt', told_at(b.finishing_at), 'endingCause', upper(b.finishing_cause),
        'endedAt', told_at(b.ended_at), 'durationMs', b.duration_ms, 'error', b.error)
$$;

create or replace function channel_tells() returns trigger language plpgsql as $$
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
            'bitrateMaxBps', new.bitrate_max_bps, 'recording', upper(new.recording),
            'disabled', new.disabled_at is not null,
            'createdAt', told_at(new.created_at), 'updatedAt', told_at(new.updated_at), 'version', new.version));
    return null;
end
$$;
