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

-- name: standing
-- Whether the kernel knows the person that an event is about (null: none is named); and the unit it belongs to: that of the record it is about, else as it says.
select (:person_id::uuid is null or exists (select from persons.v_persons where id = :person_id)) as knows_person,
    coalesce((select unit_id from records.v_versions where id = :subject::uuid and version = 1 and capability = :capability::text), :unit_id::uuid) as unit_id;

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
    insert into events.events (id, type, subject, category, person_id, unit_id, data, at)
    select gen_random_uuid(), 'torv.record.written', b.id::text, b.category, b.person_id, b.unit_id,
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
           jsonb_build_object('capability', detail ->> 'capability', 'release_id', detail ->> 'release', 'unit_id', detail ->> 'unit')
    from batch where operation ~ '^(modules[.]bind|moves[.]moved)$' and kind in ('write', 'system') and detail ? 'capability' and detail ? 'release'),
units as (
    select position, at, 'torv.unit.changed', detail ->> 'unit', 'organisation', null::uuid,
           jsonb_build_object('unit_id', detail ->> 'unit', 'change', split_part(operation, '.', 2))
    from batch where kind = 'write' and operation ~ '^organisation[.](create|change)_unit$' and detail ? 'unit'),
requirements as (
    select b.position, b.at, 'torv.requirement.changed', p.proposal ->> 'id', 'contract', null::uuid,
           jsonb_build_object('proposal_id', p.proposal ->> 'id', 'capability', b.detail ->> 'capability', 'change', split_part(b.operation, '.', 2)),
           (p.proposal ->> 'partner_id')::uuid
    from batch b cross join jsonb_array_elements(b.detail -> 'proposals') as p (proposal)
    where b.kind = 'write' and b.operation ~ '^requirements[.](propose|set_day)$' and b.detail ? 'proposals'),
told as (
    insert into events.events (id, type, subject, category, person_id, data, partner_id, at)
    select gen_random_uuid(), type, subject, category, person_id, data, partner_id, at from (
        select *, null::uuid as partner_id from persons union all select *, null from agreements union all select *, null from bindings
        union all select *, null from units union all select * from requirements) as found
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

-- name: position_before
-- The position after which every event stands that happened at an instant or later; some may stand there that happened before, and came late.
select coalesce(min(position) - 1, (select position from base.v_streams where name = 'events'), 0) from events.events where at >= :at;

-- name: events_after
-- The next events of some types beyond a position, up to another, in order.
select position, id, type, capability, subject, sequence, category, person_id, unit_id, kle, sensitivity, data, at,
    (select survivor_id from partners.v_organisations o where o.id = partner_id) as partner_id
from events.events where position > :after and position <= :until and type = any(:types::text[]) order by position limit :size;

-- name: units_above
-- Some units, each with those above it as they stand today.
select unit_id, above from organisation.v_unit_paths
where unit_id = any(:units::uuid[]) and valid_from <= :day::date and (valid_to is null or valid_to > :day::date);

-- name: insert_subscription
-- A binding begins to follow events.
insert into events.subscriptions (id, key, capability, unit_id, types, mode, path, cursor, secret_changed_at)
values (:id, :key, :capability, :unit_id, :types, :mode, :path, :cursor, :at);

-- name: change_subscription
-- Changes what a binding follows, and how.
update events.subscriptions set types = :types, mode = :mode, path = :path where id = :id;

-- name: subscription_by_id
-- A subscription.
select id, key, capability, unit_id, types, mode, path, cursor, turn, secret_number, secret_changed_at, failures, failing_since, retry_at, stopped_by, is_alone
from events.v_subscriptions where id = :id;

-- name: subscription_of
-- A binding's subscription.
select id, key, capability, unit_id, types, mode, path, cursor, turn, secret_number, secret_changed_at, failures, failing_since, retry_at, stopped_by, is_alone
from events.v_subscriptions where key = :key;

-- name: subscriptions_of_release
-- The subscriptions of the bindings of a capability that a release has now; the municipality's first.
select v.id, v.key, v.capability, v.unit_id, v.types, v.mode, v.path, v.cursor, v.turn, v.secret_number, v.secret_changed_at, v.failures, v.failing_since, v.retry_at,
    v.stopped_by, v.is_alone
from events.v_subscriptions v join modules.v_bindings b on b.key = v.key
where v.capability = :capability and b.release_id = :release_id order by v.key collate "C";

-- name: subscriptions_near
-- All subscriptions of a capability: first those of the bindings that a release has, then the municipality's.
select v.id, v.key, v.capability, v.unit_id, v.types, v.mode, v.path, v.cursor, v.turn, v.secret_number, v.secret_changed_at, v.failures, v.failing_since, v.retry_at,
    v.stopped_by, v.is_alone
from events.v_subscriptions v join modules.v_bindings b on b.key = v.key
where v.capability = :capability order by b.release_id = :release_id desc, v.key collate "C";

-- name: has_binding
-- Whether a release is bound to a capability anywhere.
select exists (select from modules.v_bindings where capability = :capability and release_id = :release_id);

-- name: owners
-- The key of the binding that each of some units belongs to.
select unit_id, records.key_of(:capability, unit_id, :day) as key from unnest(:units::uuid[]) as u (unit_id);

-- name: lock_subscription
-- A subscription, kept from changing under us.
select id, key, capability, unit_id, types, mode, path, cursor, turn, secret_number, secret_changed_at, failures, failing_since, retry_at, stopped_by, is_alone
from events.v_subscriptions where id = :id for update;

-- name: subscriptions
-- The subscriptions of some bindings (null: of all) beyond :after, by their keys.
select id, key, capability, unit_id, types, mode, path, cursor, turn, secret_number, secret_changed_at, failures, failing_since, retry_at, stopped_by, is_alone
from events.v_subscriptions
where (:keys::text[] is null or key = any(:keys)) and key collate "C" > :after::text
order by key collate "C" limit :size;

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
-- Notes how far a release has come with a binding's events.
insert into events.receivers (key, release_id, position) values (:key, :release_id, :position)
on conflict (key, release_id) do update set position = excluded.position;

-- name: received_by
-- How far a release has come with a binding's events; no row if it never had any.
select position from events.receivers where key = :key and release_id = :release_id;

-- name: split_subscription
-- Lets a unit's new binding follow what the one above it follows, from the same place.
insert into events.subscriptions (id, key, capability, unit_id, types, mode, path, cursor, secret_number, secret_changed_at, failures, failing_since, retry_at, stopped_by)
select :id, :key, capability, :unit_id, types, mode, path, cursor, secret_number, secret_changed_at, failures, failing_since, retry_at, stopped_by
from events.subscriptions where key = :above for update;

-- name: part_parked
-- Gives a unit's subscription what is laid aside or dead of its own; what is of no unit stays as well.
with theirs as (
    select p.id, p.subject, p.position, p.attempts, p.next_at, p.last_status, p.dead_at, e.unit_id
    from events.parked p join events.subscriptions s on s.id = p.subscription_id join events.events e on e.position = p.position
    where s.key = :above and (e.unit_id is null or records.key_of(s.capability, e.unit_id, :day) = :key)),
copied as (
    insert into events.parked (id, subscription_id, position, subject, attempts, next_at, last_status, dead_at)
    select gen_random_uuid(), :id, position, subject, attempts, next_at, last_status, dead_at from theirs where unit_id is null)
update events.parked set subscription_id = :id where id in (select id from theirs where unit_id is not null);

-- name: rename_subscription
-- Lets a subscription be that of another binding.
update events.subscriptions set key = :key, unit_id = :unit_id where id = :id;

-- name: join_parked
-- Gives a subscription what is laid aside or dead of another; of the same event, its own stays.
update events.parked p set subscription_id = :to where p.subscription_id = :id
  and not exists (select from events.parked q where q.subscription_id = :to and q.position = p.position);

-- name: remove_parked_of
-- Forgets what is laid aside or dead of a subscription.
delete from events.parked where subscription_id = :id;

-- name: remove_subscription
-- A binding follows nothing any more.
delete from events.subscriptions where id = :id;

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
-- The dead letters of some bindings (null: of all), newest first; a dead letter is an event nobody would take.
select p.id, p.subscription_id, s.key, s.capability, s.unit_id,
    organisation.name_of(s.unit_id, :day) as unit_name, p.attempts, p.last_status, p.dead_at, p.position
from events.parked p join events.subscriptions s on s.id = p.subscription_id
where p.dead_at is not null and (:keys::text[] is null or s.key = any(:keys))
  and (:before_at::timestamptz is null or (p.dead_at, p.id) < (:before_at, :before_id::uuid))
order by p.dead_at desc, p.id desc limit :size;

-- name: dead_letter
-- A dead letter.
select p.id, p.subscription_id, s.key, s.capability, s.unit_id,
    organisation.name_of(s.unit_id, :day) as unit_name, p.attempts, p.last_status, p.dead_at, p.position
from events.parked p join events.subscriptions s on s.id = p.subscription_id where p.dead_at is not null and p.id = :id;

-- name: events_at
-- The events at some positions.
select position, id, type, capability, subject, sequence, category, person_id, unit_id, kle, sensitivity, data, at,
    (select survivor_id from partners.v_organisations o where o.id = partner_id) as partner_id
from events.events where position = any(:positions::bigint[]) order by position;

-- name: revive
-- Lets a dead letter be tried again from the beginning.
update events.parked set dead_at = null, attempts = 0, next_at = :now where id = :id;

-- name: revive_all
-- Lets all dead letters of a subscription be tried again from the beginning.
update events.parked set dead_at = null, attempts = 0, next_at = :now where subscription_id = :id and dead_at is not null;

-- name: lag
-- How many events of some categories (null: all), none for another partner (null: any), a subscription waits for (10,000: so many or more), since when, how many are laid aside or dead. Events of units that other bindings are for are not waited for.
with elsewhere as materialized (
    select p.unit_id from events.subscriptions o cross join organisation.places(:day) p
    where o.id = :id and records.key_of(o.capability, p.unit_id, :day) <> o.key and not (select is_alone from events.v_subscriptions where id = :id))
select (select count(*) from (select from events.events e where e.position > s.cursor and e.type = any(s.types)
                              and (e.unit_id is null or e.unit_id not in (select unit_id from elsewhere))
                              and (:categories::text[] is null or e.category = any(:categories))
                              and (:partner_id::uuid is null or coalesce(e.partner_id, :partner_id) in (
                                   select id from partners.v_organisations o where o.survivor_id = :partner_id)) limit 10000) as few) as events,
       (select at from events.events e where e.position > s.cursor and e.type = any(s.types)
        and (e.unit_id is null or e.unit_id not in (select unit_id from elsewhere))
        and (:categories::text[] is null or e.category = any(:categories))
        and (:partner_id::uuid is null or coalesce(e.partner_id, :partner_id) in (
             select id from partners.v_organisations o where o.survivor_id = :partner_id)) order by e.position limit 1) as since,
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

-- name: keys_of_partner
-- The keys of the bindings that a partner's releases have now.
select b.key from modules.v_bindings b join modules.v_releases r on r.id = b.release_id
join partners.v_organisations o on o.id = r.partner_id where o.survivor_id = :partner_id;

-- name: late_events
-- The late events (of a capability, or all; of a partner's releases, or all), newest first; without their content.
select l.id, l.capability, l.release_id, l.content ->> 'type' as type, l.idempotency_key, l.at
from events.late l join modules.v_releases r on r.id = l.release_id join partners.v_organisations o on o.id = r.partner_id
where (:capability::text is null or l.capability = :capability) and (:partner_id::uuid is null or o.survivor_id = :partner_id)
  and (:before_at::timestamptz is null or (l.at, l.id) < (:before_at, :before_id::uuid))
order by l.at desc, l.id desc limit :size;

-- name: late_event
-- What a late event would have said.
select l.id, l.capability, l.release_id, l.content ->> 'type' as type, l.idempotency_key, l.at, l.content
from events.late l join modules.v_releases r on r.id = l.release_id join partners.v_organisations o on o.id = r.partner_id
where l.id = :id and (:partner_id::uuid is null or o.survivor_id = :partner_id);
