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
insert into service_levels.minutes as m (service, minute, operation, release_id, agreement_id, is_refusal, result, status, calls, module_us, hold_us, torv_us, first_position, last_position)
select split_part(t.operation, '.', 1), date_trunc('minute', t.at, 'UTC'), split_part(t.operation, '.', 2), (t.detail ->> 'release')::uuid,
       (t.detail ->> 'agreement')::uuid, t.kind = 'refusal',
       case t.result when 'answer_cut' then 'cut:' || coalesce(t.detail ->> 'cut', '') else t.result end, (t.detail ->> 'status')::int, count(*),
       coalesce(array_agg((t.detail ->> 'module_us')::int) filter (where t.detail ? 'status'), '{}'),
       coalesce(sum((t.detail ->> 'hold_us')::bigint), 0), coalesce(sum((t.detail ->> 'torv_us')::bigint), 0), min(t.position), max(t.position)
from base.v_trail t
where t.position > :after and t.position <= :upto
  and (t.kind = 'outcome' or t.kind = 'refusal' and t.detail is null and split_part(t.operation, '.', 1) in (select capability from modules.v_bindings))
group by 1, 2, 3, 4, 5, 6, 7, 8
on conflict on constraint minutes_once do update
set calls = m.calls + excluded.calls, module_us = m.module_us || excluded.module_us, hold_us = m.hold_us + excluded.hold_us,
    torv_us = m.torv_us + excluded.torv_us, first_position = least(m.first_position, excluded.first_position),
    last_position = greatest(m.last_position, excluded.last_position);

-- name: gather_bindings
-- Gathers who was bound to what, since when.
insert into service_levels.bindings (position, service, release_id, at)
select position, detail ->> 'capability', (detail ->> 'release')::uuid, at from base.v_trail
where position > :after and position <= :upto and kind = 'system' and operation = :bound
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
      where position > :after and position <= :upto and kind in ('outcome', 'refusal')
      union all select service, at, position from service_levels.bindings where position > :after
      union all select service, generate_series(begins, ends, interval '1 day'), position from service_levels.notices where position > :after
      union all select service, ends, position from service_levels.notices where position > :after) e
group by 1, 2
on conflict (service, month) do update set position = greatest(t.position, excluded.position);

-- name: minutes_between
-- The calls of some services in a span of minutes.
select service, minute, operation, agreement_id, is_refusal, result, status, calls, module_us, hold_us, torv_us, first_position, last_position
from service_levels.minutes where service = any(:services::text[]) and minute >= :begins and minute < :ends;

-- name: bindings_of
-- Who was bound to some services, in order.
select b.service, b.at, b.position, r.module_name as module, o.survivor_id as partner_id
from service_levels.bindings b join modules.v_releases r on r.id = b.release_id join partners.v_organisations o on o.id = r.partner_id
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
