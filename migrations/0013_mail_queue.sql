-- Why: nobody fills the queue of mail: what waits has a limit for each address and tenant, and as a whole.
-- One writer: the api writes mail, as before.
-- Deploy: a new column that may be empty, and a function; an older api goes on beside them, and what it posts counts as a whole only.

alter table mail
    -- For whom it counts while it waits: a person's id, a tenant's, or the SHA-256 of an address. Removed when it was sent or given up.
    add column owner text;
create index mail_owner_idx on mail (owner) where state = 'waiting' and owner is not null;

-- How much waits for one and for all, counted no further than asked. Who posts for a tenant may not read what waits.
create function mail_waiting(whose text, of_one integer, of_all integer) returns table (own bigint, everybodys bigint)
    language sql stable security definer set search_path from current as $$
    select (select count(*) from (select from mail where state = 'waiting' and owner = whose limit of_one) o),
           (select count(*) from (select from mail where state = 'waiting' limit of_all) e)
$$;
revoke execute on function mail_waiting(text, integer, integer) from public;
grant execute on function mail_waiting(text, integer, integer) to headwater_door, headwater_tenant;
