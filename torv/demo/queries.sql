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
