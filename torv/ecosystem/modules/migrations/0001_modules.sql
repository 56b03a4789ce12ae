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
    constraint releases_version_key unique (module_id, version)
);

create table modules.contracts (
    capability text not null,
    major int not null,
    version text not null,
    content jsonb not null,            -- contract.yaml with its schemas
    hash text not null,                -- SHA-256 over the canonical content, hex
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
    added_at timestamptz not null,
    primary key (capability, major, version)
);

create table modules.bindings (
    capability text primary key,
    release_id uuid not null references modules.releases (id),
    epoch bigint not null,
    shadow_release_id uuid references modules.releases (id),
    changed_at timestamptz not null default clock_timestamp()
);

create table modules.assertions (
    release_id uuid not null references modules.releases (id),
    jti text not null,
    expires_at timestamptz not null,
    constraint assertions_once primary key (release_id, jti)
);

create view modules.v_releases as
select r.id, r.version, m.name as module_name, m.id as module_id, m.partner_id from modules.releases r join modules.modules m on m.id = r.module_id;

create view modules.v_bindings as select capability, release_id from modules.bindings;
