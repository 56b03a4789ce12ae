-- Persons as they are today, what was and is known of them with both clocks, numbers, relations, and imports.
create extension if not exists pg_trgm;

create table persons.persons (
    id uuid primary key,
    version int not null default 1,
    known_at timestamptz not null default clock_timestamp(),
    cpr text constraint persons_cpr_key unique check (cpr ~ '^[0-9]{10}$'),
    sex text check (sex in ('M', 'K')),
    birth_date date,
    -- today's facts, kept for reading and searching; made anew on refresh_on
    given_names text,
    family_name text,
    address text,
    hides_address boolean not null default false,
    hides_name boolean not null default false,
    civil_status text,
    status text,
    name_sort text collate "C" not null,
    name_search text collate "C" not null,
    address_search text collate "C" not null,
    refresh_on date,
    merged_into uuid references persons.persons (id)  -- the person this one turned out to be
);
create index persons_by_name on persons.persons (name_sort, id);
create index persons_by_name_like on persons.persons using gin (name_search gin_trgm_ops);
create index persons_by_address_like on persons.persons using gin (address_search gin_trgm_ops);
create index persons_by_birth on persons.persons (birth_date, name_sort, id);
create index persons_to_refresh on persons.persons (refresh_on) where refresh_on is not null;

-- Every number a person has or had: whoever asks with an old one finds the person.
create table persons.numbers (
    cpr text constraint numbers_cpr_key primary key check (cpr ~ '^[0-9]{10}$'),
    person_id uuid not null references persons.persons (id)
);
create index numbers_person on persons.numbers (person_id);

create table persons.facts (
    id bigint generated always as identity primary key,
    person_id uuid not null references persons.persons (id),
    kind text not null,
    value jsonb not null,
    valid_from date,
    valid_to date check (valid_to >= valid_from),
    known_from timestamptz not null default clock_timestamp(),
    known_to timestamptz,              -- null: we still think so
    source text not null               -- hand, or the name of a register
);
create index facts_person on persons.facts (person_id, known_from);

create table persons.relations (
    id uuid primary key default gen_random_uuid(),
    person_id uuid not null references persons.persons (id),
    kind text not null check (kind in ('parent', 'custody', 'guardian', 'spouse', 'contact')),
    cpr text,                          -- of the other; resolved through numbers when read, for they may come later
    name text,
    valid_from date,
    valid_to date,
    known_from timestamptz not null default clock_timestamp(),
    known_to timestamptz,
    source text not null,
    check (cpr is not null or name is not null)
);
create index relations_person on persons.relations (person_id);
create index relations_other on persons.relations (cpr) where cpr is not null;

-- What a register said last, as a hash: a person who has not changed is left alone.
create table persons.imports (
    person_id uuid not null references persons.persons (id),
    source text not null,
    digest bytea not null,
    primary key (person_id, source)
);
