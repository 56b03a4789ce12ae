-- name: kernel_records
-- Every note in the kernel, in the order of the feed.
select id, person_id, body ->> 'text' as text, epoch, position from records.v_versions where capability = 'notes' order by position;

-- name: logged_calls
-- The calls of the gateway that were answered or given up, once for the intent and once for the outcome.
select call_id from base.v_trail where kind in ('intent', 'outcome') and result <> 'mirrored' and call_id is not null group by call_id, kind
union all
select call_id from base.v_trail where kind = 'intent' and result = 'replayed';

-- name: logged_records
-- The records whose writing is in the trail.
select detail ->> 'record' as record from base.v_trail where kind = 'write' and operation = 'records.write' and detail ? 'record';

-- name: move_state
-- The state of a move, read from outside without disturbing anything.
select state from moves.v_moves where id = :id;

-- name: hold_citizens
-- Holds the rows of some citizens until the transaction ends; what refers to them cannot commit meanwhile.
select id from persons.persons where id = any(:ids::uuid[]) for update;

-- name: flip_waits
-- Whether a move has come to its flip and waits for writes in progress.
select exists (select from pg_locks where locktype = 'advisory' and objsubid = 1 and mode = 'ExclusiveLock' and not granted
               and (classid::bigint << 32) | objid::bigint = hashtextextended('capability notes', 0));

-- name: own_schemas
-- Which of some schemas there are, each with the comment on it.
select nspname::text as name, obj_description(oid, 'pg_namespace') as comment from pg_namespace where nspname = any(:names::text[]);

-- name: published
-- The events of a type that were published, and what each is about.
select id, subject from events.v_events where type = :type;
