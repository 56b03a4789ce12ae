-- name: insert_move
-- Plans a move.
insert into moves.moves (id, capability, from_release, to_release, reverses, state) values (:id, :capability, :from_release, :to_release, :reverses, 'planned');

-- name: move_by_id
-- A move.
select id, capability, from_release, to_release, reverses, state, planned_at, shadowing_at, frozen_at, moved_at, epoch, receipt from moves.moves where id = :id;

-- name: lock_move
-- A move, kept from changing under us.
select id, capability, from_release, to_release, reverses, state, planned_at, shadowing_at, frozen_at, moved_at, epoch, receipt from moves.moves where id = :id for update;

-- name: moves_to_drive
-- The moves that wait for the driver, oldest first.
select id, capability, from_release, to_release, reverses, state, planned_at, shadowing_at, frozen_at, moved_at, epoch, receipt
from moves.moves where state in ('planned', 'preflight', 'hydrating', 'shadowing', 'freezing', 'moved') order by planned_at, id;

-- name: latest_move
-- The move planned last.
select id, capability, from_release, to_release, reverses, state, planned_at, shadowing_at, frozen_at, moved_at, epoch, receipt
from moves.moves order by planned_at desc, id desc limit 1;

-- name: watched_move
-- The move of a capability whose predecessor still stands by.
select id, capability, from_release, to_release, reverses, state, planned_at, shadowing_at, frozen_at, moved_at, epoch, receipt
from moves.moves where capability = :capability and state = 'watching';

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

-- name: names
-- The names of the two releases, for people.
select f.module_name || ' ' || f.version as from_name, t.module_name || ' ' || t.version as to_name
from modules.v_releases f, modules.v_releases t where f.id = :from_release and t.id = :to_release;

-- name: cut_calls
-- The calls that were cut while a capability was frozen; their outcome is not known.
select call_id from base.v_trail where result = 'outcome_unknown' and kind = 'outcome' and operation like :capability::text || '.%'
  and at between :since::timestamptz and :until::timestamptz + interval '5 seconds' order by seq;

-- name: record_digests
-- The digests of a type and the position they belong to, in one instant.
select b.number, b.total, b.count, s.position
from base.v_streams s left join records.v_buckets b on b.capability = :capability and b.type = :type where s.name = 'records';
