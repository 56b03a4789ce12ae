-- name: insert_event
-- Publishes an event; its position comes later.
insert into events.events (id, type, capability, subject, category, person_id, unit_id, kle, sensitivity, data, release_id, epoch, idempotency_key, request_hash, at)
values (:id, :type, :capability, :subject, :category, :person_id, :unit_id, :kle, :sensitivity, :data, :release_id, :epoch, :key, :request_hash, :at);

-- name: earlier_event
-- The event published before under this key.
select id, request_hash from events.events where capability = :capability and idempotency_key = :key;

-- name: insert_late
-- Keeps an event that a module published without holding the capability; the same key twice is kept once.
insert into events.late (id, capability, release_id, idempotency_key, content) values (:id, :capability, :release_id, :key, :content)
on conflict (capability, release_id, idempotency_key) do nothing;

-- name: knows_person
-- Whether the kernel knows a person.
select exists (select from persons.v_persons where id = :id);

-- name: are_waiting
-- Whether any event has no position yet, or the feed has gone on since it was last turned into events.
select exists (select from events.events where position is null)
    or exists (select from events.sources s join base.v_streams f on f.name = s.name where f.position > s.position);

-- name: events_of_records
-- Turns the next record versions into events, and notes how far that went; tells how many.
with batch as (
    select v.*, t.category from records.v_versions v join records.v_types t on t.capability = v.capability and t.name = v.type
    where v.position > (select position from events.sources where name = 'records') order by v.position limit :size),
moved as (update events.sources set position = b.last from (select max(position) as last from batch) b where name = 'records' and b.last is not null),
told as (
    insert into events.events (id, type, subject, category, person_id, data, at)
    select gen_random_uuid(), 'torv.record.written', b.id::text, b.category, b.person_id,
           jsonb_build_object('capability', b.capability, 'type', b.type, 'record_id', b.id, 'version', b.version, 'person_id', b.person_id), b.at
    from batch b order by b.position returning 1)
select count(*) from told;

-- name: events_of_trail
-- Turns what the next trail entries tell of changes into events, and notes how far that went; tells how many.
with batch as (
    select position, at, kind, operation, subjects, detail from base.v_trail
    where position > (select position from events.sources where name = 'trail') order by position limit :size),
moved as (update events.sources set position = b.last from (select max(position) as last from batch) b where name = 'trail' and b.last is not null),
persons as (
    select b.position, b.at, 'torv.person.changed' as type, s.id::text as subject, 'person' as category, s.id as person_id,
           jsonb_build_object('person_id', s.id, 'change', split_part(b.operation, '.', 2)) as data
    from batch b cross join unnest(b.subjects) as s (id)
    where b.kind = 'write' and b.operation like 'persons.%' and not coalesce(b.detail ? 'replayed', false)),
agreements as (
    select position, at, 'torv.agreement.changed', detail ->> 'agreement', 'contract', null::uuid,
           jsonb_build_object('agreement_id', detail ->> 'agreement', 'change', coalesce(detail ->> 'event', split_part(operation, '.', 2)))
    from batch where kind = 'write' and operation like 'agreements.%' and detail ? 'agreement'),
bindings as (
    select position, at, 'torv.binding.moved', detail ->> 'release', 'contract', null::uuid,
           jsonb_build_object('capability', detail ->> 'capability', 'release_id', detail ->> 'release')
    from batch where operation ~ '^(modules[.]bind|moves[.]moved)$' and kind in ('write', 'system') and detail ? 'capability' and detail ? 'release'),
units as (
    select position, at, 'torv.unit.changed', detail ->> 'unit', 'organisation', null::uuid,
           jsonb_build_object('unit_id', detail ->> 'unit', 'change', split_part(operation, '.', 2))
    from batch where kind = 'write' and operation ~ '^organisation[.](create|change)_unit$' and detail ? 'unit'),
told as (
    insert into events.events (id, type, subject, category, person_id, data, at)
    select gen_random_uuid(), type, subject, category, person_id, data, at from (
        select * from persons union all select * from agreements union all select * from bindings union all select * from units) as found
    order by position, subject returning 1)
select count(*) from told;

-- name: number_events
-- Gives the next events their positions, and each its number among those about its subject; tells how many.
with batch as (select seq, subject, row_number() over (order by seq) as nth, row_number() over (partition by subject order by seq) as nth_of_subject
               from (select seq, subject from events.events where position is null order by seq limit :size) as few),
     numbered as (
        update events.events e set position = :last + b.nth,
            sequence = b.nth_of_subject + coalesce((select max(k.sequence) from events.events k where k.subject = b.subject), 0)
        from batch b where e.seq = b.seq returning 1)
select count(*) from numbered;

-- name: last_position
-- The last position given to an event.
select coalesce((select position from base.v_streams where name = 'events'), 0);

-- name: position_at
-- The last position of an event that happened before an instant.
select coalesce(max(position), 0) from events.events where at < :at;

-- name: events_after
-- The next events of some types beyond a position, up to another, in order.
select position, id, type, capability, subject, sequence, category, person_id, unit_id, kle, sensitivity, data, at
from events.events where position > :after and position <= :until and type = any(:types::text[]) order by position limit :size;

-- name: units_above
-- Some units, each with those above it as they stand today.
select unit_id, above from organisation.v_unit_paths
where unit_id = any(:units::uuid[]) and valid_from <= :day::date and (valid_to is null or valid_to > :day::date);

-- name: insert_subscription
-- A capability begins to follow events.
insert into events.subscriptions (id, capability, types, mode, path, cursor, secret_changed_at)
values (:id, :capability, :types, :mode, :path, :cursor, :at);

-- name: change_subscription
-- Changes what a capability follows, and how.
update events.subscriptions set types = :types, mode = :mode, path = :path where id = :id;

-- name: subscription_by_id
-- A subscription.
select id, capability, types, mode, path, cursor, turn, secret_number, secret_changed_at, failures, failing_since, retry_at, stopped_by
from events.subscriptions where id = :id;

-- name: subscription_of
-- A capability's subscription.
select id, capability, types, mode, path, cursor, turn, secret_number, secret_changed_at, failures, failing_since, retry_at, stopped_by
from events.subscriptions where capability = :capability;

-- name: lock_subscription
-- A subscription, kept from changing under us.
select id, capability, types, mode, path, cursor, turn, secret_number, secret_changed_at, failures, failing_since, retry_at, stopped_by
from events.subscriptions where id = :id for update;

-- name: subscriptions
-- The subscriptions of some capabilities (null: of all) beyond :after, by capability.
select id, capability, types, mode, path, cursor, turn, secret_number, secret_changed_at, failures, failing_since, retry_at, stopped_by
from events.subscriptions
where (:capabilities::text[] is null or capability = any(:capabilities)) and capability collate "C" > :after::text
order by capability collate "C" limit :size;

-- name: due_subscriptions
-- The subscriptions by push that have something to send now.
select s.id from events.subscriptions s
where s.mode = 'push' and (s.retry_at is null or s.retry_at <= :now)
  and (exists (select from base.v_streams f where f.name = 'events' and f.position > s.cursor)
       or exists (select from events.parked p where p.subscription_id = s.id and p.dead_at is null and p.next_at <= :now));

-- name: advance_cursor
-- Moves a cursor on, unless it was set from outside meanwhile; everything goes well again.
update events.subscriptions set cursor = :cursor, failures = 0, failing_since = null, retry_at = null, stopped_by = null
where id = :id and turn = :turn;

-- name: set_cursor
-- Sets a cursor from outside: what is on its way counts no more.
update events.subscriptions set cursor = :cursor, turn = turn + 1, failures = 0, failing_since = null, retry_at = null, stopped_by = null
where id = :id;

-- name: note_failure
-- Notes that the receiver has failed, and when it is asked again.
update events.subscriptions set failures = failures + 1, failing_since = coalesce(failing_since, :now), retry_at = :retry_at
where id = :id and turn = :turn;

-- name: note_stop
-- Notes which check keeps events from being delivered (null: none), and when it is asked again.
update events.subscriptions set stopped_by = :check, retry_at = :retry_at where id = :id;

-- name: rotate_secret
-- Gives a subscription its next secret.
update events.subscriptions set secret_number = secret_number + 1, secret_changed_at = :at where id = :id;

-- name: note_received
-- Notes how far a release has acknowledged a capability's events.
insert into events.receivers (capability, release_id, position) values (:capability, :release_id, :position)
on conflict (capability, release_id) do update set position = excluded.position;

-- name: received_by
-- How far a release has acknowledged a capability's events; no row if it never has.
select position from events.receivers where capability = :capability and release_id = :release_id;

-- name: park
-- Lays an event aside, to be tried again later; once.
insert into events.parked (id, subscription_id, position, subject, attempts, next_at, last_status, dead_at)
values (:id, :subscription_id, :position, :subject, :attempts, :next_at, :status, :dead_at)
on conflict (subscription_id, position) do nothing;

-- name: parked_subjects
-- The subjects of which something is laid aside: what comes later about them waits behind it.
select distinct subject from events.parked where subscription_id = :id and dead_at is null;

-- name: next_parked
-- The first event of a subject that is due to be tried again.
select p.id, p.position, p.subject, p.attempts from events.parked p
where p.subscription_id = :id and p.dead_at is null and p.next_at <= :now
  and not exists (select from events.parked q where q.subscription_id = p.subscription_id and q.subject = p.subject
                  and q.dead_at is null and q.position < p.position)
order by p.position limit 1;

-- name: retry_parked
-- Notes another refusal of an event laid aside: tried again later, or from now on a dead letter.
update events.parked set attempts = attempts + 1, next_at = :next_at, last_status = :status, dead_at = :dead_at where id = :id;

-- name: remove_parked
-- An event laid aside has been delivered.
delete from events.parked where id = :id;

-- name: forget_parked_after
-- Forgets what was laid aside or is dead beyond a position: it comes again in its turn.
delete from events.parked where subscription_id = :id and position > :position;

-- name: hurry_parked
-- Lets everything laid aside be tried at once, by whoever provides the capability now.
update events.parked set next_at = :now, attempts = 0 where subscription_id = :id and dead_at is null;

-- name: dead_letters
-- The dead letters of some capabilities (null: of all), newest first; a dead letter is an event nobody would take.
select p.id, p.subscription_id, s.capability, p.attempts, p.last_status, p.dead_at, p.position
from events.parked p join events.subscriptions s on s.id = p.subscription_id
where p.dead_at is not null and (:capabilities::text[] is null or s.capability = any(:capabilities))
  and (:before_at::timestamptz is null or (p.dead_at, p.id) < (:before_at, :before_id::uuid))
order by p.dead_at desc, p.id desc limit :size;

-- name: dead_letter
-- A dead letter.
select p.id, p.subscription_id, s.capability, p.attempts, p.last_status, p.dead_at, p.position
from events.parked p join events.subscriptions s on s.id = p.subscription_id where p.dead_at is not null and p.id = :id;

-- name: events_at
-- The events at some positions.
select position, id, type, capability, subject, sequence, category, person_id, unit_id, kle, sensitivity, data, at
from events.events where position = any(:positions::bigint[]) order by position;

-- name: revive
-- Lets a dead letter be tried again from the beginning.
update events.parked set dead_at = null, attempts = 0, next_at = :now where id = :id;

-- name: revive_all
-- Lets all dead letters of a subscription be tried again from the beginning.
update events.parked set dead_at = null, attempts = 0, next_at = :now where subscription_id = :id and dead_at is not null;

-- name: lag
-- How many events of some categories (null: all) a subscription waits for (10,000: so many or more), since when, how many are laid aside or dead.
select (select count(*) from (select from events.events e where e.position > s.cursor and e.type = any(s.types)
                              and (:categories::text[] is null or e.category = any(:categories)) limit 10000) as few) as events,
       (select at from events.events e where e.position > s.cursor and e.type = any(s.types)
        and (:categories::text[] is null or e.category = any(:categories)) order by e.position limit 1) as since,
       (select count(*) from events.parked p where p.subscription_id = s.id and p.dead_at is null) as parked,
       (select count(*) from events.parked p where p.subscription_id = s.id and p.dead_at is not null) as dead
from events.subscriptions s where s.id = :id;

-- name: forget_events
-- Forgets old events that every subscription has passed and nobody keeps laid aside; the last about each subject stays, for its number.
delete from events.events where seq in (
    select e.seq from events.events e
    where e.at < :before and e.position <= coalesce((select min(cursor) from events.subscriptions), e.position)
      and exists (select from events.events later where later.subject = e.subject and later.sequence > e.sequence)
      and not exists (select from events.parked p where p.position = e.position)
    order by e.at limit :size);

-- name: capabilities_of_partner
-- The capabilities that a partner's releases provide now.
select b.capability from modules.v_bindings b join modules.v_releases r on r.id = b.release_id
join partners.v_organisations o on o.id = r.partner_id where o.survivor_id = :partner_id;
