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

create table records.holders (
    capability text primary key,
    release_id uuid not null,          -- the only release whose writes count
    epoch bigint not null              -- raised by each move
);

create table records.versions (
    seq bigint generated always as identity primary key,
    position bigint unique,            -- given by the sequencer
    version_id uuid not null unique,
    id uuid not null,
    capability text not null,
    type text not null,
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
    constraint versions_key unique (capability, idempotency_key),
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
    number int not null check (number between 0 and 4095),
    total bytea not null,
    count bigint not null,
    primary key (capability, type, number)
);

create table records.late_writes (
    id uuid primary key,
    capability text not null,
    release_id uuid not null,
    idempotency_key text not null,
    content jsonb not null,
    at timestamptz not null default clock_timestamp(),
    unique (capability, release_id, idempotency_key)
);
create index late_writes_newest on records.late_writes (at, id);

create view records.v_buckets as select capability, type, number, total, count from records.buckets;
create view records.v_versions as select id, version, capability, type, person_id, body, epoch, position, at from records.versions;
create view records.v_types as select capability, name, category from records.types;
