-- Who sends a session's cookie, in one statement: before, a request paid four round trips to find it out.
--
-- Written by: nobody; the api calls it as headwater_door. It narrows itself to the person found, as two statements of one
-- transaction did before, so row-level security shows it that person's memberships alone. Old and new processes live side by
-- side: it changes no table, and an old process does not know it.

create function session_at_the_door(secret text, chosen text)
    returns table (session_id text, user_id text, name text, tenant_id text, role text)
    language plpgsql as $$
#variable_conflict use_column
declare
    seen record;
begin
    select s.session_id, s.user_id, u.name, s.last_used_at < now() - interval '1 minute' as idle
      into seen
      from session s join user_account u on u.user_id = s.user_id
     where s.secret_sha256 = secret and s.revoked_at is null and s.expires_at > now();
    if not found then
        return;
    end if;
    perform set_config('headwater.user_id', seen.user_id, true);
    if seen.idle then
        update session s set last_used_at = now() where s.session_id = seen.session_id;
    end if;
    return query
        select seen.session_id, seen.user_id, seen.name, place.tenant_id, place.role
          from (values (1)) as once
          left join lateral (
              select m.tenant_id, m.role from member m join tenant t on t.tenant_id = m.tenant_id
               where m.user_id = seen.user_id and (chosen is null or t.tenant_id = chosen or t.slug = chosen)
               order by m.joined_at, m.member_id limit 1
          ) place on true;
end
$$;

revoke execute on function session_at_the_door(text, text) from public;
grant execute on function session_at_the_door(text, text) to headwater_door;
