-- name: lock_progress
-- How far the log has been gathered, locked against anybody else who gathers.
select position from service_levels.progress for update;

-- name: progress
-- How far the log has been gathered.
select position from service_levels.progress;

-- name: log_position
-- The last position given in the log.
select coalesce(max(position), 0) from base.v_streams where name = 'trail';

-- name: advance_progress
-- Notes how far the log has been gathered.
update service_levels.progress set position = :position;

-- name: gather_minutes
-- Gathers the outcomes of calls, and refusals of calls that were never carried, minute by minute.
insert into service_levels.minutes as m (service, minute, operation, unit_id, release_id, agreement_id, is_refusal, result, status, calls, module_us, hold_us, torv_us, first_position, last_position)
select split_part(t.operation, '.', 1), date_trunc('minute', t.at, 'UTC'), split_part(t.operation, '.', 2), (t.detail ->> 'unit')::uuid,
       (t.detail ->> 'release')::uuid,
       (t.detail ->> 'agreement')::uuid, t.kind = 'refusal',
       case t.result when 'answer_cut' then 'cut:' || coalesce(t.detail ->> 'cut', '') else t.result end, (t.detail ->> 'status')::int, count(*),
       coalesce(array_agg((t.detail ->> 'module_us')::int) filter (where t.detail ? 'status'), '{}'),
       coalesce(sum((t.detail ->> 'hold_us')::bigint), 0), coalesce(sum((t.detail ->> 'torv_us')::bigint), 0), min(t.position), max(t.position)
from base.v_trail t
where t.position > :after and t.position <= :upto
  and (t.kind = 'outcome' or t.kind = 'refusal' and not coalesce(t.detail ? 'carried', false) and split_part(t.operation, '.', 1) in (select capability from modules.v_bindings))
group by 1, 2, 3, 4, 5, 6, 7, 8, 9
on conflict on constraint minutes_once do update
set calls = m.calls + excluded.calls, module_us = m.module_us || excluded.module_us, hold_us = m.hold_us + excluded.hold_us,
    torv_us = m.torv_us + excluded.torv_us, first_position = least(m.first_position, excluded.first_position),
    last_position = greatest(m.last_position, excluded.last_position);

-- name: gather_open_calls
-- Gathers the calls that began and, as far as is gathered, have not ended. A mirrored call is Torv's own, a replayed one never left.
insert into service_levels.open_calls (call_id, position, service, unit_id, operation, at)
select t.call_id, t.position, split_part(t.operation, '.', 1), (t.detail ->> 'unit')::uuid, split_part(t.operation, '.', 2), t.at from base.v_trail t
where t.position > :after and t.position <= :upto and t.kind = 'intent' and t.call_id is not null and t.result not in ('mirrored', 'replayed')
  and t.call_id not in (select o.call_id from base.v_trail o
      where o.position > :after and o.position <= :upto and o.kind = 'outcome' and o.call_id is not null)
on conflict do nothing;

-- name: close_calls
-- Forgets the calls that have ended.
delete from service_levels.open_calls where call_id in (
    select call_id from base.v_trail where position > :after and position <= :upto and kind = 'outcome');

-- name: gather_bindings
-- Gathers who was bound to what, in the whole municipality or a unit, since when; a unit's binding that is dissolved has no release.
insert into service_levels.bindings (position, service, unit_id, release_id, at)
select position, detail ->> 'capability', (detail ->> 'unit')::uuid, (detail ->> 'release')::uuid, at from base.v_trail
where position > :after and position <= :upto and kind = 'system' and operation = any(:operations::text[])
on conflict do nothing;

-- name: gather_notices
-- Gathers what was announced.
insert into service_levels.notices (id, position, agreement_id, service, kind, begins, ends, announced_at)
select (detail ->> 'notice')::uuid, position, (detail ->> 'agreement')::uuid, detail ->> 'service', detail ->> 'kind',
       (detail ->> 'begins')::timestamptz, (detail ->> 'ends')::timestamptz, at from base.v_trail
where position > :after and position <= :upto and kind = 'write' and operation in ('service_levels.announce', 'service_levels.declare')
  and detail ? 'notice'
on conflict do nothing;

-- name: touch_months
-- Notes which months the entries gathered now concern.
insert into service_levels.touched as t (service, month, position)
select service, date_trunc('month', at at time zone 'Europe/Copenhagen')::date, max(position)
from (select split_part(operation, '.', 1) as service, at, position from base.v_trail
      where position > :after and position <= :upto and kind in ('intent', 'outcome', 'refusal')
      union all select service, at, position from service_levels.bindings where position > :after
      union all select service, generate_series(begins, ends, interval '1 day'), position from service_levels.notices where position > :after
      union all select service, ends, position from service_levels.notices where position > :after) e
group by 1, 2
on conflict (service, month) do update set position = greatest(t.position, excluded.position);

-- name: minutes_between
-- The calls of some services in a span of minutes.
select service, minute, operation, unit_id, agreement_id, is_refusal, result, status, calls, module_us, hold_us, torv_us, first_position, last_position
from service_levels.minutes where service = any(:services::text[]) and minute >= :begins and minute < :ends;

-- name: unknown_between
-- The calls of some services in a span of minutes of which nobody knows how they ended.
select service, date_trunc('minute', at, 'UTC') as minute, operation, unit_id, null::uuid as agreement_id, false as is_refusal, 'no_outcome' as result,
       null::int as status, count(*)::int as calls, '{}'::int[] as module_us, 0 as hold_us, 0 as torv_us, min(position) as first_position,
       max(position) as last_position
from service_levels.open_calls where service = any(:services::text[]) and at >= :begins and at < :ends group by 1, 2, 3, 4;

-- name: bindings_of
-- Who was bound to some services, in order.
select b.service, b.unit_id, b.at, b.position, r.module_name as module, o.survivor_id as partner_id
from service_levels.bindings b left join modules.v_releases r on r.id = b.release_id left join partners.v_organisations o on o.id = r.partner_id
where b.service = any(:services::text[]) order by b.at, b.position;

-- name: notices_of
-- What was announced under an agreement, in order.
select id, agreement_id, service, kind, begins, ends, announced_at, position from service_levels.notices where agreement_id = :agreement_id order by position;

-- name: notices_after
-- What was announced under an agreement, newest first.
select id, agreement_id, service, kind, begins, ends, announced_at, position from service_levels.notices
where agreement_id = :agreement_id and id < :before order by id desc limit :size;

-- name: touched_months
-- How far the log had come when something last concerned some services, month by month.
select month, max(position) as position from service_levels.touched where service = any(:services::text[]) group by month;

-- name: retention
-- The rule in force on a day: how long the minutes of a sealed month are kept.
select months, source from service_levels.retentions where valid_from <= :day order by valid_from desc limit 1;

-- name: forgotten_before
-- The month before which no minutes are left.
select before from service_levels.forgotten;

-- name: forget_months
-- Notes that the minutes before a month are to be deleted; gives the month.
update service_levels.forgotten set before = greatest(before, :before::date) returning before;

-- name: forget_minutes
-- Deletes some minutes from before an instant, and calls whose end nobody knows; they count no more.
with gone as (delete from service_levels.minutes where ctid = any (array(select ctid from service_levels.minutes where minute < :before limit :size)) returning 1),
     open as (delete from service_levels.open_calls where at < :before)
select count(*)::int from gone;

-- name: newest_statements
-- The newest statement of each month of an agreement.
select distinct on (s.month) s.id, s.agreement_id, o.survivor_id as partner_id, s.month, s.version, s.reason, s.hash, s.content, s.gathered_to, s.sealed_at
from service_levels.statements s join partners.v_organisations o on o.id = s.partner_id
where s.agreement_id = :agreement_id order by s.month, s.version desc;

-- name: insert_statement
-- Keeps a statement; the same version twice is kept once.
insert into service_levels.statements (id, agreement_id, partner_id, month, version, reason, hash, content, gathered_to, sealed_at)
values (:id, :agreement_id, :partner_id, :month, :version, :reason, :hash, :content, :gathered_to, :sealed_at) on conflict do nothing;

-- name: look_again
-- Notes that what has come meanwhile changes nothing in a statement.
update service_levels.statements set gathered_to = :gathered_to where id = :id;

-- name: statements_in_order
-- Statements, the last sealed first: of an agreement, of a month, of a party; or of all.
select s.id, s.agreement_id, o.survivor_id as partner_id, s.month, s.version, s.reason, s.hash, s.content, s.gathered_to, s.sealed_at
from service_levels.statements s join partners.v_organisations o on o.id = s.partner_id
where s.id < :before and (:agreement_id::uuid is null or s.agreement_id = :agreement_id) and (:month::date is null or s.month = :month)
  and (:party::uuid is null or o.survivor_id = :party)
order by s.id desc limit :size;

-- name: statement_of
-- A version of a month's statement; the newest if none is named.
select s.id, s.agreement_id, o.survivor_id as partner_id, s.month, s.version, s.reason, s.hash, s.content, s.gathered_to, s.sealed_at
from service_levels.statements s join partners.v_organisations o on o.id = s.partner_id
where s.agreement_id = :agreement_id and s.month = :month and (:version::int is null or s.version = :version) order by s.version desc limit 1;
