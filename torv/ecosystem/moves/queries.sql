-- name: insert_move
-- Plans a move.
insert into moves.moves (id, capability, unit_id, from_release, to_release, reverses, state) values (:id, :capability, :unit_id, :from_release, :to_release, :reverses, 'planned');

-- name: move_by_id
-- A move.
select id, capability, unit_id, from_release, to_release, reverses, state, planned_at, shadowing_at, frozen_at, moved_at, epoch, receipt from moves.moves where id = :id;

-- name: lock_move
-- A move, kept from changing under us.
select id, capability, unit_id, from_release, to_release, reverses, state, planned_at, shadowing_at, frozen_at, moved_at, epoch, receipt from moves.moves where id = :id for update;

-- name: moves_to_drive
-- The moves that wait for the driver, oldest first.
select id, capability, unit_id, from_release, to_release, reverses, state, planned_at, shadowing_at, frozen_at, moved_at, epoch, receipt
from moves.moves where state in ('planned', 'preflight', 'hydrating', 'shadowing', 'freezing', 'moved') order by planned_at, id;

-- name: latest_move
-- The move planned last.
select id, capability, unit_id, from_release, to_release, reverses, state, planned_at, shadowing_at, frozen_at, moved_at, epoch, receipt
from moves.moves order by planned_at desc, id desc limit 1;

-- name: is_under_way
-- Whether anything of a capability is on its way to another release, or the binding of a unit waits for the end of its watch.
select exists (
    select from moves.moves where capability = :capability and (state in ('planned', 'preflight', 'hydrating', 'shadowing', 'freezing', 'moved')
        or state = 'watching' and unit_id is not distinct from :unit_id));

-- name: lock_capability
-- Lets one change of a capability's bindings be planned at a time, until the transaction ends.
select pg_advisory_xact_lock(hashtextextended('bindings ' || :capability::text, 0));

-- name: key_at
-- The key of the binding that counts in a unit.
select records.key_of(:capability, :unit_id, :day);

-- name: is_split
-- Whether a capability has more than one binding.
select count(*) > 1 from modules.v_bindings where capability = :capability;

-- name: elsewhere
-- Which of some records of a type the kernel knows as another binding's.
with units as materialized (
    select unit_id from (select distinct unit_id from records.v_buckets where capability = :capability and type = :type) u
    where records.key_of(:capability, unit_id, :day) is distinct from :key)
select id from records.v_versions
where id = any(:ids::uuid[]) and version = 1 and coalesce(unit_id::text, '') in (select coalesce(unit_id::text, '') from units);

-- name: is_being_taken_back
-- Whether a move back is under way.
select exists (select from moves.moves where reverses = :id and state not in ('final', 'aborted'));

-- name: set_state
-- Brings a move into its next state and notes the time that belongs to it.
update moves.moves set state = :state,
    shadowing_at = case when :state = 'shadowing' then clock_timestamp() else shadowing_at end,
    frozen_at = case when :state = 'freezing' then clock_timestamp() else frozen_at end,
    moved_at = case when :state = 'moved' then clock_timestamp() else moved_at end
where id = :id;

-- name: set_epoch
-- Notes the epoch that a move led to.
update moves.moves set epoch = :epoch where id = :id;

-- name: set_receipt
-- Keeps the receipt.
update moves.moves set receipt = :receipt where id = :id;

-- name: insert_step
-- Notes a step.
insert into moves.steps (move_id, state, detail) values (:move_id, :state, :detail);

-- name: steps_of
-- The steps of a move, in order.
select state, at, detail from moves.steps where move_id = :move_id order by seq;

-- name: line_of
-- A move with names for people.
select m.id, m.capability, m.unit_id, organisation.name_of(m.unit_id, :day) as unit_name, m.state, m.from_release,
    f.module_name || ' ' || f.version as from_name, m.to_release, t.module_name || ' ' || t.version as to_name, m.reverses,
    m.planned_at as started_at, round(extract(epoch from m.moved_at - m.frozen_at) * 1000)::int as hold_ms
from moves.moves m join modules.v_releases f on f.id = m.from_release join modules.v_releases t on t.id = m.to_release
where m.id = :id;

-- name: lines
-- The moves of a capability (null: of all) before :before, the one planned last first, with names for people.
select m.id, m.capability, m.unit_id, organisation.name_of(m.unit_id, :day) as unit_name, m.state, m.from_release,
    f.module_name || ' ' || f.version as from_name, m.to_release, t.module_name || ' ' || t.version as to_name, m.reverses,
    m.planned_at as started_at, round(extract(epoch from m.moved_at - m.frozen_at) * 1000)::int as hold_ms
from moves.moves m join modules.v_releases f on f.id = m.from_release join modules.v_releases t on t.id = m.to_release
where (:capability::text is null or m.capability = :capability)
  and (:before_at::timestamptz is null or (m.planned_at, m.id) < (:before_at, :before_id::uuid))
order by m.planned_at desc, m.id desc limit :size;

-- name: cut_calls
-- The calls that were cut while a capability was frozen; their outcome is not known.
select call_id from base.v_trail where result = 'outcome_unknown' and kind = 'outcome' and operation like :capability::text || '.%'
  and at between :since::timestamptz and :until::timestamptz + interval '5 seconds' order by seq;

-- name: record_digests
-- The digests of a binding's records of a type, by unit, each with the position of its last version; and the position they belong to, in one instant.
with units as materialized (
    select unit_id from (select distinct unit_id from records.v_buckets where capability = :capability and type = :type) u
    where records.key_of(:capability, unit_id, :day) = :key)
select b.number, b.total, b.position as last, s.position
from base.v_streams s left join (
    select number, total, position from records.v_buckets
    where capability = :capability and type = :type and coalesce(unit_id::text, '') in (select coalesce(unit_id::text, '') from units)) b on true
where s.name = 'records';
