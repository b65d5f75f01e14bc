-- Why: PostgreSQL itself keeps tenants apart under the application's own checks.
-- One writer: none; this adds rules, no rows.
-- Deploy: rules bind every role but the tables' owner. Processes that connect as the owner see what they saw before; a
-- process that connects as another role sees the rows of the tenant it names, and none before it names one:
--   set local headwater.tenant_id = 'ten_...';

do $$
declare
    named text;
begin
    foreach named in array array['tenant', 'channel', 'stream_key', 'playback_id', 'broadcast', 'publish', 'lease'] loop
        execute format('alter table %I enable row level security', named);
        execute format(
            'create policy tenant_isolation on %I using (tenant_id = current_setting(''headwater.tenant_id'', true))',
            named
        );
    end loop;
end
$$;
