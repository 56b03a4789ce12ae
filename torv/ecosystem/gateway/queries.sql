-- name: claim_call
-- Claims a key for one carrying out: a new key, one nobody carries, one whose process is dead, or one whose end could not be noted (no call takes :longest seconds).
insert into gateway.calls (key, request_hash, call_id, process) values (:key, :request_hash, :call_id, :process)
on conflict (key) do update set call_id = excluded.call_id, process = excluded.process, at = clock_timestamp()
where gateway.calls.status is null and gateway.calls.request_hash = excluded.request_hash
  and (gateway.calls.process is null or gateway.calls.at < clock_timestamp() - make_interval(secs => :longest) or not exists (
       select from base.v_leases l where l.process = gateway.calls.process and l.renewed_at > clock_timestamp() - interval '1.5 seconds'))
returning call_id;

-- name: call_by_key
-- What is known of a key.
select request_hash, status, content_type, body, location from gateway.calls where key = :key;

-- name: finish_call
-- Keeps the answer for whoever repeats the call.
update gateway.calls set status = :status, content_type = :content_type, body = :body, location = :location, process = null where key = :key and call_id = :call_id;

-- name: release_call
-- Lets the next attempt under the key be carried out at once: the outcome of this one is not known.
update gateway.calls set process = null where key = :key and call_id = :call_id and status is null;

-- name: forget_calls
-- Forgets answers after 24 hours.
delete from gateway.calls where at < clock_timestamp() - interval '24 hours';

-- name: insert_comparison
-- Keeps how a shadow answer compared: paths and hashes, never content.
insert into gateway.comparisons (capability, release_id, operation, call_id, is_equal, paths, hash_in_service, hash_shadow)
values (:capability, :release_id, :operation, :call_id, :is_equal, :paths, :hash_in_service, :hash_shadow);

-- name: shadow_result
-- How a candidate has compared since an instant.
select count(*) as compared, count(*) filter (where not is_equal) as different
from gateway.comparisons where capability = :capability and release_id = :release_id and at >= :since;

-- name: now
-- The database's clock.
select clock_timestamp();

-- name: is_unread
-- Whether something of a binding, written before an instant, lies beyond a position, or has none yet.
select exists (select from records.v_versions where capability = :capability and at < :instant and (position is null or position > :position)
               and records.key_of(capability, unit_id, :day) = :key);

-- name: partner_name
-- What a partner is called.
select name from partners.v_organisations where id = :id;
