-- The municipality's units as a tree over time, its employees and their positions.
-- Two clocks: valid_from/valid_to are days on which it is so ([from, to)); known_from/known_to when we thought so.
create extension if not exists ltree;

-- One writer at a time: whoever updates this row is alone, and known_at grows with every write.
create table organisation.tree (
    only_row boolean primary key default true check (only_row),
    known_at timestamptz not null default clock_timestamp()
);
insert into organisation.tree default values;

create table organisation.units (
    id uuid primary key,
    version int not null default 1
);

create table organisation.unit_periods (
    unit_id uuid not null references organisation.units (id),
    name text not null,
    sort_key text collate "C" not null,
    kind text not null,
    parent_id uuid constraint unit_periods_parent_known references organisation.units (id),
    valid_from date not null,
    valid_to date not null default 'infinity',
    known_from timestamptz not null,
    known_to timestamptz not null default 'infinity',
    primary key (unit_id, valid_from, known_from),
    check (valid_from < valid_to),
    check (known_from < known_to)
);
create unique index unit_periods_one_now on organisation.unit_periods (unit_id, valid_from) where known_to = 'infinity';

-- Where each unit stands in the tree; follows from the periods of the unit and of all above it.
create table organisation.unit_paths (
    unit_id uuid not null references organisation.units (id),
    path ltree not null,               -- ids from the root to the unit, without hyphens
    valid_from date not null,
    valid_to date not null,
    known_from timestamptz not null,
    known_to timestamptz not null default 'infinity',
    check (valid_from < valid_to),
    check (known_from < known_to)
);
create index unit_paths_path on organisation.unit_paths using gist (path);
create index unit_paths_unit on organisation.unit_paths (unit_id, known_to);

create table organisation.employees (
    id uuid primary key,
    version int not null default 1
);

create table organisation.employee_versions (
    id uuid not null references organisation.employees (id),
    name text not null,
    sort_key text collate "C" not null,
    email text,
    person_id uuid constraint employees_person_known references persons.persons (id),
    valid_from date not null,
    valid_to date not null default 'infinity',
    known_from timestamptz not null,
    known_to timestamptz not null default 'infinity',
    primary key (id, known_from),
    check (valid_from < valid_to),
    check (known_from < known_to)
);
create unique index employee_versions_one_now on organisation.employee_versions (id) where known_to = 'infinity';
create index employee_versions_name on organisation.employee_versions (sort_key, id);

create table organisation.positions (
    id uuid primary key,
    version int not null default 1
);

create table organisation.position_versions (
    id uuid not null references organisation.positions (id),
    employee_id uuid not null constraint positions_employee_known references organisation.employees (id),
    unit_id uuid not null constraint positions_unit_known references organisation.units (id),
    job_function text not null,
    is_leader boolean not null,
    valid_from date not null,
    valid_to date not null default 'infinity',
    known_from timestamptz not null,
    known_to timestamptz not null default 'infinity',
    primary key (id, known_from),
    check (valid_from < valid_to),
    check (known_from < known_to)
);
create unique index position_versions_one_now on organisation.position_versions (id) where known_to = 'infinity';
create index position_versions_unit on organisation.position_versions (unit_id);
create index position_versions_employee on organisation.position_versions (employee_id);

-- For the slices above: where a unit stands, as we know it now; `above` are its own id and those above it.
create view organisation.v_unit_paths as
select unit_id, path, string_to_array(path::text, '.')::uuid[] as above, valid_from, valid_to
from organisation.unit_paths where known_to = 'infinity';

-- For the slices above: what units are called, and who works where, as we know it now.
create view organisation.v_unit_names as
select unit_id, name, valid_from, valid_to from organisation.unit_periods where known_to = 'infinity';
create view organisation.v_positions as
select employee_id, unit_id, valid_from, valid_to from organisation.position_versions where known_to = 'infinity';

-- A unit and those above it, the root first: where it stands on a day, or stood last, or will stand first. Null: no such unit.
create function organisation.above(asked uuid, day date) returns uuid[] language sql stable as
$$ select above from organisation.v_unit_paths where unit_id = asked
   order by valid_from <= day desc, case when valid_from <= day then valid_from end desc, valid_from limit 1 $$;

-- The same of all units.
create function organisation.places(day date) returns table (unit_id uuid, above uuid[]) language sql stable as
$$ select distinct on (p.unit_id) p.unit_id, p.above from organisation.v_unit_paths p
   order by p.unit_id, p.valid_from <= day desc, case when p.valid_from <= day then p.valid_from end desc, p.valid_from $$;

-- What a unit is called on a day, or was last, or will be first.
create function organisation.name_of(asked uuid, day date) returns text language sql stable as
$$ select name from organisation.v_unit_names where unit_id = asked
   order by valid_from <= day desc, case when valid_from <= day then valid_from end desc, valid_from limit 1 $$;

-- Units that something rests on, such as a supplier of their own: what lies below them stays there meanwhile.
create table organisation.anchors (
    unit_id uuid not null constraint anchors_unit_known references organisation.units (id),
    rests text not null,               -- what rests on it
    primary key (unit_id, rests)
);
