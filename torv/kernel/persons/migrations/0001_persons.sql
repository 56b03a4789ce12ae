-- Persons as they are now, and every version we have known.
create table persons.persons (
    id uuid primary key,
    version int not null default 1,
    cpr text constraint persons_cpr_key unique check (cpr ~ '^[0-9]{10}$'),
    given_names text not null,
    family_name text not null,
    address text,
    has_protected_address boolean not null default false,
    known_at timestamptz not null default clock_timestamp()
);

create table persons.versions (
    id uuid not null references persons.persons (id),
    version int not null,
    cpr text,
    given_names text not null,
    family_name text not null,
    address text,
    has_protected_address boolean not null,
    known_at timestamptz not null,
    primary key (id, version)
);
