-- name: upsert_type
-- Declares a record type, or replaces its schema; where its timeline changes, that of older records must be derived anew.
insert into records.types (capability, name, category, schema, timeline) values (:capability, :name, :category, :schema, :timeline)
on conflict (capability, name) do update set category = excluded.category, schema = excluded.schema, timeline = excluded.timeline,
    derived_after = case when records.types.timeline is distinct from excluded.timeline then 0 else records.types.derived_after end;

-- name: record_type
-- A declared record type.
select capability, name, category, schema, timeline from records.types where capability = :capability and name = :name;

-- name: share_fence
-- Stands inside the fence of a capability until the transaction ends; waits while a binding is being moved, and then for a write under the same key.
select pg_advisory_xact_lock_shared(hashtextextended('capability ' || :capability::text, 0)),
       pg_advisory_xact_lock(hashtextextended('write ' || :capability::text || ' ' || :key::text, 0));

-- name: close_fence
-- Waits until nobody stands inside the fence of a capability, and keeps everybody out until the transaction ends.
select pg_advisory_xact_lock(hashtextextended('capability ' || :capability::text, 0));

-- name: holder
-- Whose the record is, and what was written before under this key. A statement of its own: it must see what was committed while the lock was awaited. A record keeps the unit of its first version; a new one has the unit that was named, else that of the only holding of its writer (the municipality, if that is one of several). What bears the key is found by the key alone (offset 0 sees to it): where little is known of the tables, the planner would as soon read all of the capability.
with written as (select unit_id from records.versions where id = :id::uuid and version = 1),
own as (select count(*) as number, coalesce(bool_or(unit_id is null), false) as has_all, (array_agg(unit_id))[1] as unit_id
        from records.holders where capability = :capability and release_id = :release_id),
place as (
    select case when exists (select from written) then (select unit_id from written)
                else coalesce(:unit_id::uuid, case when own.number = 1 then own.unit_id end) end as unit_id,
           :unit_id::uuid is null and own.number > 1 and not own.has_all and not exists (select from written) as is_unclear
    from own)
select h.release_id, h.epoch, p.unit_id, p.is_unclear, v.version_id as earlier, v.request_hash as earlier_hash, t.timeline
from place p
left join records.holders h on h.key = case when p.unit_id is null then :capability::text else records.key_of(:capability, p.unit_id, :day::date) end
left join records.types t on t.capability = :capability and t.name = :type
left join (select capability, version_id, request_hash from records.versions where idempotency_key = :key offset 0) v on v.capability = :capability;

-- name: holder_now
-- Who holds the capability for a unit; without one, whether this release does anywhere. A statement of its own: it must see what was committed while the lock was awaited.
select release_id, epoch from records.holders
where capability = :capability and (:unit_id::uuid is null or key = records.key_of(:capability, :unit_id::uuid, :day::date))
order by release_id = :release_id::uuid desc limit 1;

-- name: above_of
-- A unit and those above it, as they stand on a day.
select coalesce(organisation.above(:unit_id, :day), '{}');

-- name: insert_version
-- Writes the next version of a record, if the version it follows is the latest, and of the same type.
with latest as (select coalesce(max(version), 0) as version, coalesce(bool_and(capability = :capability::text and type = :type::text), true) as is_ours
                from records.versions where id = :id)
insert into records.versions (version_id, id, capability, type, unit_id, version, person_id, body, digest, bucket, release_id, epoch, idempotency_key, request_hash)
select :version_id, :id, :capability, :type, :unit_id, :version, :person_id, :body, :digest, :bucket, :release_id, :epoch, :key, :request_hash
from latest where latest.version = :version::int - 1 and is_ours
returning id, capability, type, unit_id, version, person_id, body, encode(digest, 'hex') as digest, epoch, position, at;

-- name: version_by_id
-- One version of a record.
select id, capability, type, unit_id, version, person_id, body, encode(digest, 'hex') as digest, epoch, position, at from records.versions where version_id = :version_id;

-- name: latest_version
-- The latest version of a record.
select id, capability, type, unit_id, version, person_id, body, encode(digest, 'hex') as digest, epoch, position, at
from records.versions where id = :id order by version desc limit 1;

-- name: versions_after
-- The versions of a capability beyond a position, in order; and with each, how far the feed has come (one row without a version if there is none).
select s.position as until, v.*
from base.v_streams s left join lateral (
    select id, capability, type, unit_id, version, person_id, body, encode(digest, 'hex') as digest, epoch, position, at
    from records.versions where capability = :capability and position > :after order by position limit :size) v on true
where s.name = 'records' order by v.position;

-- name: versions_within
-- The same of those that lie within some limits: each covers some categories, in some units (null: everywhere).
with limits as materialized (select * from jsonb_to_recordset(:limits::jsonb) as f (units jsonb, categories jsonb)),
reached as materialized (
    select distinct p.unit_id, c.category
    from limits f join organisation.places(:day) p on base.reaches(f.units, p.above) cross join lateral jsonb_array_elements_text(f.categories) as c (category)
    where f.units is not null)
select s.position as until, v.*
from base.v_streams s left join lateral (
    select w.id, w.capability, w.type, w.unit_id, w.version, w.person_id, w.body, encode(w.digest, 'hex') as digest, w.epoch, w.position, w.at
    from records.versions w join records.types t on t.capability = w.capability and t.name = w.type
    where w.capability = :capability and w.position > :after
      and (exists (select from limits f where f.units is null and f.categories ?| array[t.category, '*'])
           or exists (select from reached r where r.unit_id = w.unit_id and r.category in (t.category, '*')))
    order by w.position limit :size) v on true
where s.name = 'records' order by v.position;

-- name: has_versions_after
-- Whether a holding has versions beyond a position, or without one.
select exists (
    select from records.versions
    where capability = :capability and (position is null or position > :after)
      and (unit_id is null and :key::text = :capability or unit_id is not null and records.key_of(:capability, unit_id, :day) = :key));

-- name: insert_late
-- Keeps a write that came too late; the same key twice is kept once.
insert into records.late_writes (id, capability, unit_id, release_id, idempotency_key, content)
values (:id, :capability, :unit_id, :release_id, :key, :content)
on conflict (capability, release_id, idempotency_key) do nothing;

-- name: late_writes
-- The late writes (of a capability, or all; of a release, or all; within some limits, or all), newest first; without their content.
select id, capability, unit_id, release_id, idempotency_key, at from records.late_writes
where (:capability::text is null or capability = :capability) and (:release_id::uuid is null or release_id = :release_id)
  and (:limits::jsonb is null or exists (
       select from jsonb_to_recordset(:limits) as f (units jsonb)
       where f.units is null or base.reaches(f.units, coalesce(organisation.above(unit_id, :day), '{}'))))
  and (:before_at::timestamptz is null or (at, id) < (:before_at, :before_id::uuid))
order by at desc, id desc limit :size;

-- name: late_write
-- What a late write would have written.
select id, capability, unit_id, release_id, idempotency_key, at, content from records.late_writes where id = :id;

-- name: hand_over
-- Makes a release the holder and raises the epoch: no holding of the capability has had it before.
insert into records.holders (key, capability, unit_id, release_id, epoch)
select :key, :capability, :unit_id, :release_id, coalesce(max(epoch), 0) + 1 from records.holders where capability = :capability
on conflict (key) do update set release_id = excluded.release_id, epoch = excluded.epoch
returning epoch;

-- name: split_holding
-- Gives a unit a holding of its own, with whoever holds it now; no row if nobody does, or it has one.
insert into records.holders (key, capability, unit_id, release_id, epoch)
select :key, capability, :unit_id, release_id, epoch from records.holders where key = records.key_of(:capability, :unit_id, :day)
on conflict (key) do nothing returning release_id, epoch;

-- name: dissolve_holding
-- Lets a unit's holding go up into the one above it, if one release has both; no row if not.
delete from records.holders h using (
    select above.key from records.holders own cross join lateral (
        select a.key, a.release_id from records.holders a cross join (select organisation.above(own.unit_id, :day) as ids) path
        where a.capability = own.capability and a.key <> own.key and (a.unit_id is null or a.unit_id = any(path.ids))
        order by array_position(path.ids, a.unit_id) desc nulls last limit 1) above
    where own.key = :key and own.unit_id is not null and above.release_id = own.release_id) found
where h.key = :key returning found.key;

-- name: versions_are_waiting
-- Whether any version has no position yet.
select exists (select from records.versions where position is null);

-- name: number_versions
-- Gives the next versions their positions, by insertion order; tells what is needed to keep the digests.
with batch as (select seq, row_number() over (order by seq) as nth from records.versions where position is null order by seq limit :size),
     numbered as (update records.versions v set position = :last + b.nth from batch b where v.seq = b.seq returning v.*)
select n.capability, n.type, n.unit_id, n.bucket, n.digest, n.position, p.digest as previous
from numbered n left join records.versions p on p.id = n.id and p.version = n.version - 1
order by n.position;

-- name: buckets_of
-- The digests of some buckets of a type in a unit, locked for the sequencer.
select number, total, count from records.buckets
where capability = :capability and type = :type and unit_id is not distinct from :unit_id and number = any(:numbers::int[]) for update;

-- name: upsert_bucket
-- Sets the digest of a bucket.
insert into records.buckets (capability, type, unit_id, number, total, count, position)
values (:capability, :type, :unit_id, :number, :total, :count, :position)
on conflict on constraint buckets_once do update set total = excluded.total, count = excluded.count, position = excluded.position;

-- name: all_buckets
-- The digests of a type; buckets without records are left out.
select number, total, count from records.buckets where capability = :capability and type = :type order by number;

-- name: touched_buckets
-- The buckets of a holding with versions after one position and up to another.
with units as materialized (
    select unit_id from (select distinct unit_id from records.buckets where capability = :capability and type = :type) u
    where records.key_of(:capability, unit_id, :day) = :key)
select array_agg(distinct bucket) from records.versions
where capability = :capability and type = :type and position > :after and position <= :until
  and coalesce(unit_id::text, '') in (select coalesce(unit_id::text, '') from units);

-- name: types_of
-- The names of a capability's record types.
select capability, name, category, schema, timeline from records.types where capability = :capability order by name;

-- name: upsert_line
-- Sets a record's line; without an instant of its own it stands where the record was first written.
insert into records.timeline (record_id, capability, type, unit_id, version, person_id, at, text)
values (:id, :capability, :type, :unit_id, :version, :person_id,
        coalesce(:at, (select v.at from records.versions v where v.id = :id and v.version = 1)), :text)
on conflict (record_id) do update set version = excluded.version, person_id = excluded.person_id, at = excluded.at, text = excluded.text;

-- name: remove_line
-- Takes a record's line away.
delete from records.timeline where record_id = :id;

-- name: timeline_of
-- A person's timeline, newest first: the lines of types whose category the permit covers (null: every category), within its limits (null: none).
select l.record_id, l.capability, l.type, l.version, l.at, l.text
from records.timeline l join records.types t on t.capability = l.capability and t.name = l.type
where l.person_id = :person_id and (:categories::text[] is null or t.category = any(:categories))
  and (:limits::jsonb is null or exists (
       select from jsonb_to_recordset(:limits) as f (units jsonb, categories jsonb)
       where f.categories ?| array[t.category, '*']
         and (f.units is null or base.reaches(f.units, coalesce(organisation.above(l.unit_id, :day), '{}')))))
  and (:before_at::timestamptz is null or (l.at, l.record_id) < (:before_at, :before_id::uuid))
order by l.at desc, l.record_id desc limit :size;

-- name: stale_capability
-- A capability with a type whose timeline must be derived anew.
select capability from records.types where derived_after is not null order by capability limit 1;

-- name: stale_type
-- The first such type of a capability.
select capability, name as type, timeline, derived_after as after from records.types
where capability = :capability and derived_after is not null order by name limit 1;

-- name: versions_to_derive
-- The next versions of a type that are their records' latest.
select v.seq, v.id, v.unit_id, v.version, v.person_id, v.body from records.versions v
where v.capability = :capability and v.type = :type and v.seq > :after
  and not exists (select from records.versions later where later.id = v.id and later.version > v.version)
order by v.seq limit :size;

-- name: note_derived
-- Notes how far a type's timeline has been derived; null when it is done.
update records.types set derived_after = :after where capability = :capability and name = :type;
