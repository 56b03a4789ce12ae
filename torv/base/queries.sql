-- name: insert_trail
-- Writes trail entries, given as a JSON array of rows.
insert into base.trail (id, at, request_id, kind, user_id, release_id, agreement_id, grant_id, category, operation, purpose, subjects, result, call_id, detail)
select id, at, request_id, kind, user_id, release_id, agreement_id, grant_id, category, operation, purpose, coalesce(subjects, '{}'), result, call_id, detail
from jsonb_to_recordset(:entries::jsonb) as e (
    id uuid, at timestamptz, request_id uuid, kind text, user_id uuid, release_id uuid, agreement_id uuid, grant_id text, category text,
    operation text, purpose text, subjects uuid[], result text, call_id uuid, detail jsonb);

-- name: renew_lease
-- Renews this process's lease and tells, in the same instant, the generation and the fences; what it reports belongs to the fences it knew before.
with renewed as (
    insert into base.leases (process, kind, renewed_at, generation, fences, in_flight, resting)
    values (:process, :kind, clock_timestamp(), :generation, :fences, :in_flight, :resting)
    on conflict (process) do update
    set renewed_at = excluded.renewed_at, generation = excluded.generation, fences = excluded.fences, in_flight = excluded.in_flight, resting = excluded.resting)
select (select number from base.generation) as generation,
       coalesce((select array_agg(key order by key) from base.fences), '{}') as fences,
       coalesce((select array_agg(key order by key) from base.fences where is_forced), '{}') as forced;

-- name: end_lease
-- Removes the lease of a process that stops in order.
delete from base.leases where process = :process;

-- name: remove_dead_leases
-- Removes leases of processes that have been silent for a minute.
delete from base.leases where renewed_at < clock_timestamp() - interval '1 minute';

-- name: raise_generation
-- Makes every process read agreements and bindings anew.
update base.generation set number = number + 1 returning number;

-- name: notify_state
-- Wakes the leases; they would notice by themselves within 250 ms.
select pg_notify('torv_state', '');

-- name: raise_fence
-- Raises the fence of a key; raising it twice changes nothing.
insert into base.fences (key) values (:key) on conflict (key) do nothing;

-- name: force_fence
-- Cuts the calls that are still in flight behind a fence.
update base.fences set is_forced = true where key = :key;

-- name: lower_fence
-- Lowers the fence of a key.
delete from base.fences where key = :key;

-- name: unconfirmed_leases
-- How many living processes have not confirmed the fence or still carry calls; one silent for more than 1.5 seconds is dead.
select count(*) from base.leases
where kind = 'api' and renewed_at > clock_timestamp() - interval '1.5 seconds'
  and not (:key = any(fences) and coalesce((in_flight ->> :key)::int, 0) = 0);

-- name: lock_stream
-- The last position given in a stream, locked against any other sequencer.
select position from base.streams where name = :name for update;

-- name: create_stream
-- Makes a stream known, starting at 0.
insert into base.streams (name) values (:name) on conflict (name) do nothing;

-- name: advance_stream
-- Sets the last position given in a stream.
update base.streams set position = :position where name = :name;

-- name: stream_position
-- The last position given in a stream.
select position from base.streams where name = :name;

-- name: notify_feed
-- Wakes the readers of a stream.
select pg_notify('torv_feed', :name);

-- name: try_leadership
-- Tries to become the one worker that sequences and moves; held until the connection ends.
select pg_try_advisory_lock(hashtextextended('torv worker', 0));

-- name: trail_is_waiting
-- Whether any trail entry has no position yet.
select exists (select from base.trail where position is null);

-- name: number_trail
-- Gives the next trail entries their positions, by insertion order; tells how many.
with batch as (select seq, row_number() over (order by seq) as nth from base.trail where position is null order by seq limit :size),
     numbered as (update base.trail t set position = :last + b.nth from batch b where t.seq = b.seq returning 1)
select count(*) from numbered;

-- name: ping
-- Answers 1 when the database answers.
select 1;

-- name: clock
-- The database's clock, in Unix seconds.
select extract(epoch from clock_timestamp())::float8;

-- name: newest_entry
-- The instant of the newest entry of the trail, in Unix seconds; null before there is one.
select extract(epoch from max(at))::float8 from base.trail;

-- name: durability
-- The settings that decide whether an acknowledged commit can be lost.
select current_setting('fsync') as fsync, current_setting('full_page_writes') as full_page_writes,
       current_setting('synchronous_commit') as synchronous_commit, current_setting('server_version_num')::int as version;

-- name: claim_answer
-- Claims a key; waits for whoever has claimed it and not yet finished.
insert into base.answers (key, request_hash, status, headers, body) values (:key, :request_hash, 0, '{}', '') on conflict (key) do nothing;

-- name: kept_answer
-- The answer kept under a key.
select request_hash, status, headers, body from base.answers where key = :key;

-- name: keep_answer
-- Keeps an answer under its key.
update base.answers set status = :status, headers = :headers, body = :body where key = :key;

-- name: forget_answers
-- Forgets answers after 24 hours.
delete from base.answers where at < clock_timestamp() - interval '24 hours';
