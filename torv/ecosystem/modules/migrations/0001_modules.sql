-- Modules, releases, contracts, bindings, and assertions that have been used.
create table modules.modules (
    id uuid primary key,
    partner_id uuid not null references partners.organisations (id),
    name text not null,
    constraint modules_name_key unique (partner_id, name)
);

create table modules.releases (
    id uuid primary key,
    module_id uuid not null references modules.modules (id),
    version text not null,
    url text not null,
    jwk jsonb not null,
    majors jsonb not null default '{}', -- capability -> the major versions of its contract that the release provides
    registered_at timestamptz not null default clock_timestamp(),
    state text not null default 'registered' check (state in ('registered', 'retired')),
    retired_at timestamptz,
    manifest jsonb,                     -- as its partner signed it; null: registered by a user of the municipality
    manifest_hash text,                 -- SHA-256 over the canonical manifest, hex
    constraint releases_version_key unique (module_id, version)
);

-- What releases are made of.
create table modules.components (
    release_id uuid not null references modules.releases (id),
    number int not null,
    name text not null,
    version text not null,
    search_name text collate "C" not null,
    version_key text collate "C" not null, -- sorts as the version does; see component_versions.py
    license text,
    purl text,
    primary key (release_id, number)
);
create index components_by_name on modules.components (search_name, version_key);

-- Where releases run, are backed up, or are looked into.
create table modules.locations (
    release_id uuid not null references modules.releases (id),
    number int not null,
    country text not null,
    provider text not null,
    role text not null,
    place text,
    data jsonb not null,                -- data categories
    primary key (release_id, number)
);

create table modules.contracts (
    capability text not null,
    major int not null,
    version text not null,
    content jsonb not null,            -- contract.yaml with its schemas
    hash text not null,                -- SHA-256 over the canonical content, hex
    openapi jsonb,                     -- the operations in full; null: the contract came without
    added_at timestamptz not null default clock_timestamp(),
    primary key (capability, major)
);

-- Every version that has been in force: agreements and requirements name them by their hash.
create table modules.contract_versions (
    capability text not null,
    major int not null,
    version text not null,
    content jsonb not null,
    hash text not null,
    openapi jsonb,
    added_at timestamptz not null,
    primary key (capability, major, version)
);

-- Who provides a capability: in the whole municipality, or (another row) in a unit and what lies below it.
create table modules.bindings (
    key text primary key,              -- the capability, and `@<unit>` where it is for a unit
    capability text not null,
    unit_id uuid references organisation.units (id),
    release_id uuid not null references modules.releases (id),
    epoch bigint not null,
    shadow_release_id uuid references modules.releases (id),
    standby_release_id uuid references modules.releases (id), -- the predecessor, until a move is final
    shadow_may_differ text[] not null default '{}', -- operation and path of an answer, where the candidate must say more
    changed_at timestamptz not null default clock_timestamp()
);

-- How the releases in use were when they were last asked.
create table modules.health (
    release_id uuid primary key references modules.releases (id),
    state text not null,
    since timestamptz not null,
    checked_at timestamptz not null,
    lag bigint                          -- positions of the feed not read; null where it did not say
);

create table modules.assertions (
    release_id uuid not null references modules.releases (id),
    jti text not null,
    expires_at timestamptz not null,
    constraint assertions_once primary key (release_id, jti)
);

-- What came of certifying releases: signed reports, never changed.
create table modules.certifications (
    id uuid primary key,
    release_id uuid not null references modules.releases (id),
    capability text not null,
    major int not null,
    contract_hash text not null,
    requirement_set text,              -- hash of the set it was tried against; null: the contract alone
    level text check (level in ('bronze', 'silver', 'gold')),
    certifier text not null check (certifier in ('supplier', 'municipality')),
    kid text not null,
    began_at timestamptz not null,
    received_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz not null,
    demands jsonb not null,
    report jsonb not null,
    signature text not null,
    hash text not null,                -- SHA-256 over the canonical report, hex
    constraint certifications_once unique (release_id, hash)
);
create index certifications_newest on modules.certifications (release_id, capability, major, began_at desc, received_at desc);
create trigger certifications_keep before update or delete or truncate on modules.certifications
    for each statement execute function base.refuse_change();

-- How long a certification counts, from the day on which it was made: a rule of ours that may change, so data with a day.
create table modules.certification_terms (
    from_day date primary key,
    months int not null check (months > 0),
    source text not null
);
insert into modules.certification_terms (from_day, months, source)
values ('2000-01-01', 12, 'Torv: a release is tried again at least once a year');

create view modules.v_certifications as
select id, release_id, capability, major, contract_hash, requirement_set, level, certifier, kid, began_at, received_at, expires_at, demands
from modules.certifications;

-- The releases that provide a capability, or could: bound, registered for it, certified, or agreed to provide it.
create view modules.v_providers as
select capability, release_id from modules.bindings
union select jsonb_object_keys(majors), id from modules.releases
union select capability, release_id from modules.certifications
union
select g.value ->> 'service', r.id
from agreements.v_agreements a
join partners.v_organisations ours on ours.id = a.partner_id
cross join lateral jsonb_array_elements(a.content -> 'grants') g
join modules.modules m on m.name = g.value ->> 'module'
join partners.v_organisations theirs on theirs.id = m.partner_id and theirs.survivor_id = ours.survivor_id
join modules.releases r on r.module_id = m.id
where g.value -> 'operations' ? 'provide';

create view modules.v_releases as
select r.id, r.version, m.name as module_name, m.id as module_id, m.partner_id from modules.releases r join modules.modules m on m.id = r.module_id;

create view modules.v_bindings as select key, capability, unit_id, release_id from modules.bindings;
