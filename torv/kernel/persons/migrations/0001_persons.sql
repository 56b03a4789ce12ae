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
create index persons_by_name_words on persons.persons using gin (array_to_tsvector(string_to_array(name_search, ' ')));
create index persons_by_address_words on persons.persons using gin (array_to_tsvector(string_to_array(address_search, ' ')));
create index persons_by_birth on persons.persons (birth_date, name_sort, id);
create index persons_to_refresh on persons.persons (refresh_on) where refresh_on is not null;

-- What is said of a person is said of one who is there. Foreign keys would ask so for every row, which was two fifths of
-- what an import cost the database; these triggers ask once for all rows of a statement. Persons are never deleted.
create function persons.is_of_somebody() returns trigger language plpgsql as $$
begin
    if exists (select from added a where not exists (select from persons.persons p where p.id = a.person_id)) then
        raise foreign_key_violation using message = 'there is no such person', constraint = tg_table_name || '_of_somebody';
    end if;
    return null;
end $$;
create trigger persons_stay before delete or truncate on persons.persons for each statement execute function base.refuse_change();

-- Every word of a name or an address, once: a word that is misspelt is sought here, among the few, not among all persons.
create table persons.words (
    kind text collate "C" not null check (kind in ('name', 'address')),
    word text collate "C" not null,    -- of a search key
    sound text collate "C" not null,   -- words that are heard alike have the same
    is_open boolean not null,          -- somebody bears it whose name (or address) is not protected
    primary key (kind, word)
);
create index words_by_sound on persons.words (kind, sound);
create index words_alike on persons.words using gin (word gin_trgm_ops);

-- Every number a person has or had: whoever asks with an old one finds the person.
create table persons.numbers (
    cpr text constraint numbers_cpr_key primary key check (cpr ~ '^[0-9]{10}$'),
    person_id uuid not null
);
create trigger numbers_of_somebody after insert on persons.numbers referencing new table as added
    for each statement execute function persons.is_of_somebody();
create index numbers_person on persons.numbers (person_id);

create table persons.facts (
    id bigint generated always as identity primary key,
    person_id uuid not null,
    kind text not null,
    value jsonb not null,
    valid_from date,
    valid_to date check (valid_to >= valid_from),
    known_from timestamptz not null default clock_timestamp(),
    known_to timestamptz,              -- null: we still think so
    source text not null               -- hand, or the name of a register
);
create trigger facts_of_somebody after insert on persons.facts referencing new table as added
    for each statement execute function persons.is_of_somebody();
create index facts_person on persons.facts (person_id, known_from);

create table persons.relations (
    id uuid primary key default gen_random_uuid(),
    person_id uuid not null,
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
create trigger relations_of_somebody after insert on persons.relations referencing new table as added
    for each statement execute function persons.is_of_somebody();
create index relations_person on persons.relations (person_id);
create index relations_other on persons.relations (cpr) where cpr is not null;

-- What a register said last, as a hash: a person who has not changed is left alone.
create table persons.imports (
    person_id uuid not null,
    source text not null,
    digest bytea not null,
    primary key (person_id, source)
);
create trigger imports_of_somebody after insert on persons.imports referencing new table as added
    for each statement execute function persons.is_of_somebody();

-- For the slices above: whether a person is known.
create view persons.v_persons as select id from persons.persons;
