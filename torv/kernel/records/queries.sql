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
-- Who holds the capability, and what was written before under this key. A statement of its own: it must see what was committed while the lock was awaited.
select h.release_id, h.epoch, v.version_id as earlier, v.request_hash as earlier_hash, t.timeline
from (select :capability::text as capability) asked
left join records.holders h on h.capability = asked.capability
left join records.types t on t.capability = asked.capability and t.name = :type
left join records.versions v on v.capability = asked.capability and v.idempotency_key = :key;

-- name: holder_now
-- Who holds the capability. A statement of its own: it must see what was committed while the lock was awaited.
select release_id, epoch from records.holders where capability = :capability;

-- name: insert_version
-- Writes the next version of a record, if the version it follows is the latest, and of the same type.
with latest as (select coalesce(max(version), 0) as version, coalesce(bool_and(capability = :capability::text and type = :type::text), true) as is_ours
                from records.versions where id = :id)
insert into records.versions (version_id, id, capability, type, version, person_id, body, digest, bucket, release_id, epoch, idempotency_key, request_hash)
select :version_id, :id, :capability, :type, :version, :person_id, :body, :digest, :bucket, :release_id, :epoch, :key, :request_hash
from latest where latest.version = :version::int - 1 and is_ours
returning id, capability, type, version, person_id, body, encode(digest, 'hex') as digest, epoch, position, at;

-- name: version_by_id
-- One version of a record.
select id, capability, type, version, person_id, body, encode(digest, 'hex') as digest, epoch, position, at from records.versions where version_id = :version_id;

-- name: latest_version
-- The latest version of a record.
select id, capability, type, version, person_id, body, encode(digest, 'hex') as digest, epoch, position, at
from records.versions where id = :id order by version desc limit 1;

-- name: versions_after
-- The versions of a capability beyond a position, in order.
select id, capability, type, version, person_id, body, encode(digest, 'hex') as digest, epoch, position, at
from records.versions where capability = :capability and position > :after order by position limit :size;

-- name: has_versions_after
-- Whether a capability has versions beyond a position, or without one.
select exists (select from records.versions where capability = :capability and (position is null or position > :after));

-- name: insert_late
-- Keeps a write that came too late; the same key twice is kept once.
insert into records.late_writes (id, capability, release_id, idempotency_key, content) values (:id, :capability, :release_id, :key, :content)
on conflict (capability, release_id, idempotency_key) do nothing;

-- name: late_writes
-- The late writes (of a capability, or all; of a release, or all), newest first; without their content.
select id, capability, release_id, idempotency_key, at from records.late_writes
where (:capability::text is null or capability = :capability) and (:release_id::uuid is null or release_id = :release_id)
  and (:before_at::timestamptz is null or (at, id) < (:before_at, :before_id::uuid))
order by at desc, id desc limit :size;

-- name: late_write
-- What a late write would have written.
select id, capability, release_id, idempotency_key, at, content from records.late_writes where id = :id;

-- name: hand_over
-- Makes a release the holder and raises the epoch.
insert into records.holders (capability, release_id, epoch) values (:capability, :release_id, 1)
on conflict (capability) do update set release_id = excluded.release_id, epoch = records.holders.epoch + 1
returning epoch;

-- name: versions_are_waiting
-- Whether any version has no position yet.
select exists (select from records.versions where position is null);

-- name: number_versions
-- Gives the next versions their positions, by insertion order; tells what is needed to keep the digests.
with batch as (select seq, row_number() over (order by seq) as nth from records.versions where position is null order by seq limit :size),
     numbered as (update records.versions v set position = :last + b.nth from batch b where v.seq = b.seq returning v.*)
select n.capability, n.type, n.bucket, n.digest, n.position, p.digest as previous
from numbered n left join records.versions p on p.id = n.id and p.version = n.version - 1
order by n.position;

-- name: buckets_of
-- The digests of some buckets of a type, locked for the sequencer.
select number, total, count from records.buckets where capability = :capability and type = :type and number = any(:numbers::int[]) for update;

-- name: upsert_bucket
-- Sets the digest of a bucket.
insert into records.buckets (capability, type, number, total, count) values (:capability, :type, :number, :total, :count)
on conflict (capability, type, number) do update set total = excluded.total, count = excluded.count;

-- name: all_buckets
-- The digests of a type; buckets without records are left out.
select number, total, count from records.buckets where capability = :capability and type = :type order by number;

-- name: touched_buckets
-- The buckets with versions after one position and up to another.
select array_agg(distinct bucket) from records.versions where capability = :capability and type = :type and position > :after and position <= :until;

-- name: types_of
-- The names of a capability's record types.
select capability, name, category, schema, timeline from records.types where capability = :capability order by name;

-- name: upsert_line
-- Sets a record's line; without an instant of its own it stands where the record was first written.
insert into records.timeline (record_id, capability, type, version, person_id, at, text)
values (:id, :capability, :type, :version, :person_id,
        coalesce(:at, (select v.at from records.versions v where v.id = :id and v.version = 1)), :text)
on conflict (record_id) do update set version = excluded.version, person_id = excluded.person_id, at = excluded.at, text = excluded.text;

-- name: remove_line
-- Takes a record's line away.
delete from records.timeline where record_id = :id;

-- name: timeline_of
-- A person's timeline, newest first: the lines of types whose category the permit covers (null: every category).
select l.record_id, l.capability, l.type, l.version, l.at, l.text
from records.timeline l join records.types t on t.capability = l.capability and t.name = l.type
where l.person_id = :person_id and (:categories::text[] is null or t.category = any(:categories))
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
select v.seq, v.id, v.version, v.person_id, v.body from records.versions v
where v.capability = :capability and v.type = :type and v.seq > :after
  and not exists (select from records.versions later where later.id = v.id and later.version > v.version)
order by v.seq limit :size;

-- name: note_derived
-- Notes how far a type's timeline has been derived; null when it is done.
update records.types set derived_after = :after where capability = :capability and name = :type;
