-- Why: replays are renamed, given a policy of their own, deleted (and, for a while, kept after all); the private half of a signing
-- key may be kept here, so that tokens can be made without a library.
-- One writer: the api writes every column here. The scheduler's broadcast still moves an asset's state, but not back from deleted.
-- Deploy: new columns with defaults; the older api and origin go on beside them and show a deleted replay until they are updated.

alter table signing_key
    -- Sealed by the api; null: shown once and kept nowhere, or never here.
    add column private_key bytea;

alter table asset
    -- Null: as the playback ids of its channel say.
    add column policy     text,
    -- Somebody asked for it to be deleted: from then on it is not shown, and from this moment on it cannot be kept any more.
    add column deletes_at timestamptz,
    -- Until then, one process removes what is stored for it.
    add column claimed_until timestamptz,
    add constraint asset_policy check (policy in ('public', 'signed')),
    add constraint asset_metadata check (jsonb_typeof(metadata) = 'object' and octet_length(metadata::text) <= 16384);
alter table asset drop constraint asset_state;
alter table asset
    add constraint asset_state check (state in ('recording', 'preparing', 'ready', 'errored', 'deleted')),
    add constraint asset_deleted check (state <> 'deleted' or deletes_at is not null);
create index asset_deletes_idx on asset (deletes_at) where deletes_at is not null and state <> 'deleted';

-- What a playback id shows depends on it, and what is due to be deleted is found before its tenant is known.
create policy at_the_door on asset for select to headwater_door using (true);
grant select (asset_id, tenant_id, broadcast_id, state, policy, deletes_at, claimed_until) on asset to headwater_door;

create function asset_stays_deleted() returns trigger language plpgsql as $$
begin
    new.state := 'deleted';
    return new;
end
$$;
create trigger asset_stays_deleted before update on asset for each row when (old.state = 'deleted' and new.state <> 'deleted')
    execute function asset_stays_deleted();

create or replace function asset_tells() returns trigger language plpgsql as $$
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
            'policy', upper(coalesce(new.policy, replay_policy(new.tenant_id, new.channel_id))),
            'deletesAt', case when new.state <> 'deleted' then told_at(new.deletes_at) end,
            'createdAt', told_at(new.created_at), 'updatedAt', told_at(new.updated_at), 'version', new.version));
    return null;
end
$$;
drop trigger asset_moved on asset;
create constraint trigger asset_moved after update on asset deferrable initially deferred for each row
    when ((new.state <> old.state and new.state in ('ready', 'errored', 'deleted'))
          or (new.title, new.metadata, new.policy, new.deletes_at)
             is distinct from (old.title, old.metadata, old.policy, old.deletes_at))
    execute function asset_tells();
