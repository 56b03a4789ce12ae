-- Record types, versions, who holds each capability, digests, and writes that came too late.
create table records.types (
    capability text not null,
    name text not null,
    category text not null,
    schema jsonb not null,
    timeline jsonb,                    -- JSON pointers into the body; null: no line in the timeline
    derived_after bigint,              -- while the timeline is derived anew: versions up to this seq are done
    primary key (capability, name)
);
create index types_stale on records.types (capability, name) where derived_after is not null;

-- Who may write: of a capability in the whole municipality, or (another row) in a unit and what lies below it.
create table records.holders (
    key text primary key,              -- the capability, and `@<unit>` where it is for a unit
    capability text not null,
    unit_id uuid constraint holders_unit_known references organisation.units (id),
    release_id uuid not null,          -- the only release whose writes count
    epoch bigint not null,             -- of the last move; no two moves of a capability have the same
    constraint holders_once unique nulls not distinct (capability, unit_id)
);

-- Whose it is: the key of the holder nearest above a unit; the municipality's where there is none, or no unit. Null: nobody's.
create function records.key_of(asked text, unit uuid, day date) returns text language sql stable as
$$ select h.key from records.holders h cross join (select organisation.above(unit, day) as ids) above
   where h.capability = asked and (h.unit_id is null or h.unit_id = any(above.ids))
   order by array_position(above.ids, h.unit_id) desc nulls last limit 1 $$;

create table records.versions (
    seq bigint generated always as identity primary key,
    position bigint unique,            -- given by the sequencer
    version_id uuid not null unique,
    id uuid not null,
    capability text not null,
    type text not null,
    unit_id uuid constraint versions_unit_known references organisation.units (id), -- of the call that led to the first version
    version int not null check (version > 0),
    -- at commit: what belongs together may be written in any order
    person_id uuid constraint versions_person_known references persons.persons (id) deferrable initially deferred,
    body jsonb not null,
    digest bytea not null,
    bucket int not null,
    release_id uuid not null,
    epoch bigint not null,
    idempotency_key text not null,
    request_hash bytea not null,
    at timestamptz not null default clock_timestamp(),
    constraint versions_follow unique (id, version),
    constraint versions_key unique (idempotency_key, capability),
    foreign key (capability, type) references records.types (capability, name)
);
create index versions_waiting on records.versions (seq) where position is null;
create index versions_feed on records.versions (capability, position);
create index versions_person on records.versions (person_id);
create index versions_of_type on records.versions (capability, type, seq);

-- One line of each record that has one: derived from its latest version in the transaction that wrote it.
create table records.timeline (
    record_id uuid primary key,
    capability text not null,
    type text not null,
    unit_id uuid,
    version int not null,
    person_id uuid not null,
    at timestamptz not null,
    text text not null,
    foreign key (capability, type) references records.types (capability, name)
);
create index timeline_person on records.timeline (person_id, at, record_id);

create table records.buckets (
    capability text not null,
    type text not null,
    unit_id uuid,                      -- sums of units may be added up
    number int not null check (number between 0 and 4095),
    total bytea not null,
    count bigint not null,
    position bigint not null,          -- of the last version in it
    constraint buckets_once unique nulls not distinct (capability, type, unit_id, number)
);

create table records.late_writes (
    id uuid primary key,
    capability text not null,
    unit_id uuid,
    release_id uuid not null,
    idempotency_key text not null,
    content jsonb not null,
    at timestamptz not null default clock_timestamp(),
    unique (capability, release_id, idempotency_key)
);
create index late_writes_newest on records.late_writes (at, id);

create view records.v_buckets as select capability, type, unit_id, number, total, count, position from records.buckets;
create view records.v_versions as select id, version, capability, type, unit_id, person_id, body, epoch, position, at from records.versions;
create view records.v_types as select capability, name, category from records.types;
