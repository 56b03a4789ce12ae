-- name: begin_write
-- Keeps other writers out until the transaction ends; gives the instant from which what is written is known, later than every one before.
update organisation.tree set known_at = greatest(clock_timestamp(), known_at + interval '1 microsecond') returning known_at;

-- name: add_units
-- Makes units known by their ids.
insert into organisation.units (id) select unnest(:ids::uuid[]);

-- name: raise_unit_versions
-- Notes that units have changed.
update organisation.units set version = version + 1 where id = any(:ids::uuid[]);

-- name: periods_now
-- The periods of all units, or of one, as we know them now.
select p.unit_id, u.version, p.valid_from, nullif(p.valid_to, 'infinity') as valid_to, p.name, p.kind, p.parent_id
from organisation.unit_periods p join organisation.units u on u.id = p.unit_id
where p.known_to = 'infinity' and (:id::uuid is null or p.unit_id = :id) order by p.unit_id, p.valid_from;

-- name: close_periods
-- Ends our belief in some periods.
update organisation.unit_periods p set known_to = :known from jsonb_to_recordset(:rows::jsonb) as r (unit_id uuid, valid_from date)
where p.unit_id = r.unit_id and p.valid_from = r.valid_from and p.known_to = 'infinity';

-- name: insert_periods
-- Notes periods of units.
insert into organisation.unit_periods (unit_id, name, sort_key, kind, parent_id, valid_from, valid_to, known_from)
select unit_id, name, sort_key, kind, parent_id, valid_from, coalesce(valid_to, 'infinity'), :known
from jsonb_to_recordset(:rows::jsonb) as r (unit_id uuid, name text, sort_key text, kind text, parent_id uuid, valid_from date, valid_to date);

-- name: derive_paths
-- Works out where each unit stands on each day, from the roots downwards, and stores what differs from what was stored. A unit in a ring is reached from no root.
with recursive links as (
    select unit_id, parent_id, unnest(range_agg(daterange(valid_from, valid_to))) as days
    from organisation.unit_periods where known_to = 'infinity' group by unit_id, parent_id),
tree as (
    select unit_id, replace(unit_id::text, '-', '')::ltree as path, days from links where parent_id is null
    union all
    select l.unit_id, t.path || replace(l.unit_id::text, '-', ''), l.days * t.days
    from tree t join links l on l.parent_id = t.unit_id and l.days && t.days),
merged as (select unit_id, path, unnest(range_agg(days)) as days from tree group by unit_id, path),
wanted as (select unit_id, path, lower(days) as valid_from, upper(days) as valid_to from merged),
closed as (
    update organisation.unit_paths p set known_to = :known
    where p.known_to = 'infinity' and not exists (
        select from wanted w where w.unit_id = p.unit_id and w.path = p.path and w.valid_from = p.valid_from and w.valid_to = p.valid_to))
insert into organisation.unit_paths (unit_id, path, valid_from, valid_to, known_from)
select w.unit_id, w.path, w.valid_from, w.valid_to, :known from wanted w
where not exists (
    select from organisation.unit_paths p where p.known_to = 'infinity'
        and w.unit_id = p.unit_id and w.path = p.path and w.valid_from = p.valid_from and w.valid_to = p.valid_to);

-- name: first_misplaced_unit
-- A unit with a day on which it has no place in the tree, and the first such day.
select stated.unit_id as id, lower(stated.days - coalesce(placed.days, '{}')) as day
from (select unit_id, range_agg(daterange(valid_from, valid_to)) as days
      from organisation.unit_periods where known_to = 'infinity' group by unit_id) stated
left join (select unit_id, range_agg(daterange(valid_from, valid_to)) as days
           from organisation.unit_paths where known_to = 'infinity' group by unit_id) placed using (unit_id)
where stated.days <> coalesce(placed.days, '{}') limit 1;

-- name: first_stray_position
-- A position with a day on which its unit or its employee is not there, and the first such day.
select id, lower(days - there) as day from (
    select s.id, datemultirange(daterange(s.valid_from, s.valid_to)) as days,
        coalesce(u.days, '{}') * coalesce(datemultirange(daterange(e.valid_from, e.valid_to)), '{}') as there
    from organisation.position_versions s
    left join organisation.employee_versions e on e.id = s.employee_id and e.known_to = 'infinity'
    left join (select unit_id, range_agg(daterange(valid_from, valid_to)) as days
               from organisation.unit_periods where known_to = 'infinity' group by unit_id) u on u.unit_id = s.unit_id
    where s.known_to = 'infinity') each
where not days <@ there limit 1;

-- name: add_employees
-- Makes employees known by their ids.
insert into organisation.employees (id) select unnest(:ids::uuid[]);

-- name: raise_employee_versions
-- Notes that employees have changed.
update organisation.employees set version = version + 1 where id = any(:ids::uuid[]);

-- name: employees_now
-- All employees, or one, as we know them now.
select v.id, v.name, v.email, v.person_id, v.valid_from, nullif(v.valid_to, 'infinity') as valid_to, e.version
from organisation.employee_versions v join organisation.employees e using (id)
where v.known_to = 'infinity' and (:id::uuid is null or v.id = :id) order by v.id;

-- name: close_employees
-- Ends our belief in what some employees are.
update organisation.employee_versions set known_to = :known where id = any(:ids::uuid[]) and known_to = 'infinity';

-- name: insert_employees
-- Notes what employees are.
insert into organisation.employee_versions (id, name, sort_key, email, person_id, valid_from, valid_to, known_from)
select id, name, sort_key, email, person_id, valid_from, coalesce(valid_to, 'infinity'), :known
from jsonb_to_recordset(:rows::jsonb) as r (id uuid, name text, sort_key text, email text, person_id uuid, valid_from date, valid_to date);

-- name: add_positions
-- Makes positions known by their ids.
insert into organisation.positions (id) select unnest(:ids::uuid[]);

-- name: raise_position_versions
-- Notes that positions have changed.
update organisation.positions set version = version + 1 where id = any(:ids::uuid[]);

-- name: positions_now
-- All positions, or one, or those of one employee, as we know them now.
select v.id, v.employee_id, v.unit_id, v.job_function, v.is_leader, v.valid_from, nullif(v.valid_to, 'infinity') as valid_to, p.version
from organisation.position_versions v join organisation.positions p using (id)
where v.known_to = 'infinity' and (:id::uuid is null or v.id = :id) and (:employee_id::uuid is null or v.employee_id = :employee_id)
order by v.id;

-- name: close_positions
-- Ends our belief in what some positions are.
update organisation.position_versions set known_to = :known where id = any(:ids::uuid[]) and known_to = 'infinity';

-- name: insert_positions
-- Notes what positions are.
insert into organisation.position_versions (id, employee_id, unit_id, job_function, is_leader, valid_from, valid_to, known_from)
select id, employee_id, unit_id, job_function, is_leader, valid_from, coalesce(valid_to, 'infinity'), :known
from jsonb_to_recordset(:rows::jsonb) as r (id uuid, employee_id uuid, unit_id uuid, job_function text, is_leader boolean, valid_from date, valid_to date);

-- name: above_from
-- The ids of a unit and of those above it on its first day from :day on, as we know it now.
select above from organisation.v_unit_paths where unit_id = :id and valid_to > :day order by valid_from limit 1;

-- name: known_units
-- Those of some ids that are units.
select array_agg(id) from organisation.units where id = any(:ids::uuid[]);

-- name: unit_at
-- A unit on a day.
select u.unit_id as id, b.version, u.name, u.kind, u.parent_id, string_to_array(p.path::text, '.')::uuid[] as above, u.valid_from, nullif(u.valid_to, 'infinity') as valid_to
from organisation.unit_paths p
join organisation.unit_periods u on u.unit_id = p.unit_id and u.valid_from <= :day and :day < u.valid_to and u.known_from <= :known and :known < u.known_to
join organisation.units b on b.id = p.unit_id
where p.unit_id = :id and p.valid_from <= :day and :day < p.valid_to and p.known_from <= :known and :known < p.known_to;

-- name: units_below
-- A unit and the units below it on a day, :depth levels down, by name; all units if :root is null.
with root as materialized (
    select ''::ltree as path where :root::uuid is null
    union all
    select path from organisation.unit_paths
    where unit_id = :root and valid_from <= :day and :day < valid_to and known_from <= :known and :known < known_to)
select u.unit_id as id, b.version, u.name, u.kind, u.parent_id, string_to_array(p.path::text, '.')::uuid[] as above, u.valid_from, nullif(u.valid_to, 'infinity') as valid_to
from organisation.unit_paths p
join organisation.unit_periods u on u.unit_id = p.unit_id and u.valid_from <= :day and :day < u.valid_to and u.known_from <= :known and :known < u.known_to
join organisation.units b on b.id = p.unit_id
where p.path <@ (select path from root) and nlevel(p.path) <= (select nlevel(path) from root) + :depth::int
    and p.valid_from <= :day and :day < p.valid_to and p.known_from <= :known and :known < p.known_to
    and (u.sort_key, u.unit_id) > (:after_name::text collate "C", :after_id::uuid)
order by u.sort_key, u.unit_id limit :size;

-- name: staff_below
-- Who has a position in a unit, or in those below it :depth levels down, on a day, by name; only in units these scopes reach.
with root as materialized (
    select path from organisation.unit_paths
    where unit_id = :root and valid_from <= :day and :day < valid_to and known_from <= :known and :known < known_to)
select s.id as position_id, s.unit_id, s.job_function, s.is_leader, s.valid_from, nullif(s.valid_to, 'infinity') as valid_to, e.id as employee_id, e.name, e.email, e.person_id
from organisation.unit_paths p
join organisation.position_versions s on s.unit_id = p.unit_id and s.valid_from <= :day and :day < s.valid_to and s.known_from <= :known and :known < s.known_to
join organisation.employee_versions e on e.id = s.employee_id and e.known_from <= :known and :known < e.known_to
where p.path <@ (select path from root) and nlevel(p.path) <= (select nlevel(path) from root) + :depth::int
    and p.valid_from <= :day and :day < p.valid_to and p.known_from <= :known and :known < p.known_to
    and exists (select from jsonb_to_recordset(:scopes::jsonb) as f (units jsonb) where f.units is null or base.reaches(f.units, string_to_array(p.path::text, '.')::uuid[]))
    and (e.sort_key, s.id) > (:after_name::text collate "C", :after_id::uuid)
order by e.sort_key, s.id limit :size;

-- name: leaders_of
-- Who leads a unit on a day: its own leaders, or those of the nearest unit above that has any.
with here as materialized (
    select path from organisation.unit_paths
    where unit_id = :id and valid_from <= :day and :day < valid_to and known_from <= :known and :known < known_to),
led as (
    select nlevel(p.path) as level, e.sort_key, s.id as position_id, s.unit_id, s.job_function, s.is_leader, s.valid_from, nullif(s.valid_to, 'infinity') as valid_to, e.id as employee_id, e.name, e.email, e.person_id
    from organisation.unit_paths p
    join organisation.position_versions s on s.unit_id = p.unit_id and s.is_leader and s.valid_from <= :day and :day < s.valid_to and s.known_from <= :known and :known < s.known_to
    join organisation.employee_versions e on e.id = s.employee_id and e.known_from <= :known and :known < e.known_to
    where p.path @> (select path from here)
        and p.valid_from <= :day and :day < p.valid_to and p.known_from <= :known and :known < p.known_to)
select position_id, unit_id, job_function, is_leader, valid_from, valid_to, employee_id, name, email, person_id
from led where level = (select max(level) from led) order by sort_key, position_id;

-- name: employees_by_name
-- Who works here on a day, by name; people outside the units these scopes reach are left out.
select v.id, v.name, v.email, v.person_id, v.valid_from, nullif(v.valid_to, 'infinity') as valid_to, e.version
from organisation.employee_versions v join organisation.employees e using (id)
where v.valid_from <= :day and :day < v.valid_to and v.known_from <= :known and :known < v.known_to
    and exists (
        select from jsonb_to_recordset(:scopes::jsonb) as f (units jsonb) where f.units is null or exists (
            select from organisation.position_versions s join organisation.unit_paths p on p.unit_id = s.unit_id
            where s.employee_id = v.id and base.reaches(f.units, string_to_array(p.path::text, '.')::uuid[])
                and s.valid_from <= :day and :day < s.valid_to and s.known_from <= :known and :known < s.known_to
                and p.valid_from <= :day and :day < p.valid_to and p.known_from <= :known and :known < p.known_to))
    and (v.sort_key, v.id) > (:after_name::text collate "C", :after_id::uuid)
order by v.sort_key, v.id limit :size;

-- name: employee_at
-- An employee as known at an instant, if these scopes reach a unit of theirs.
select v.id, v.name, v.email, v.person_id, v.valid_from, nullif(v.valid_to, 'infinity') as valid_to, e.version
from organisation.employee_versions v join organisation.employees e using (id)
where v.id = :id and v.known_from <= :known and :known < v.known_to
    and exists (
        select from jsonb_to_recordset(:scopes::jsonb) as f (units jsonb) where f.units is null or exists (
            select from organisation.position_versions s join organisation.unit_paths p on p.unit_id = s.unit_id
            where s.employee_id = v.id and s.known_to = 'infinity' and p.known_to = 'infinity' and base.reaches(f.units, string_to_array(p.path::text, '.')::uuid[])));

-- name: positions_of
-- The positions of an employee as known at an instant, in order.
select v.id, v.employee_id, v.unit_id, v.job_function, v.is_leader, v.valid_from, nullif(v.valid_to, 'infinity') as valid_to, p.version
from organisation.position_versions v join organisation.positions p using (id)
where v.employee_id = :id and v.known_from <= :known and :known < v.known_to order by v.valid_from, v.id;

-- name: unit_history
-- The periods of a unit in order, as known at an instant.
select p.unit_id, u.version, p.valid_from, nullif(p.valid_to, 'infinity') as valid_to, p.name, p.kind, p.parent_id
from organisation.unit_periods p join organisation.units u on u.id = p.unit_id
where p.unit_id = :id and p.known_from <= :known and :known < p.known_to order by p.valid_from;

-- name: tree_known_at
-- When the tree was last written to.
select known_at from organisation.tree;

-- name: all_places
-- Where each unit stands, and from which day on; in order.
select unit_id, above, valid_from from organisation.v_unit_paths order by unit_id, valid_from;

-- name: above_of
-- A unit and those above it, the root first, as they stand on a day; null if there is no such unit.
select organisation.above(:id, :day);

-- name: anchor_unit
-- Notes that something rests on a unit.
insert into organisation.anchors (unit_id, rests) values (:id, :rests) on conflict do nothing;

-- name: release_anchor
-- What rested on a unit does no longer.
delete from organisation.anchors where unit_id = :id and rests = :rests;

-- name: first_torn_unit
-- A unit that would come below an anchored unit, or out from below one, and from which day on: compared with where it stood before :known, or stands.
with anchored as (select array_agg(distinct unit_id) as ids from organisation.anchors having count(*) > 0),
paths as (
    select p.unit_id, p.valid_from, p.valid_to, p.known_from < :known::timestamptz as is_old, p.known_to = 'infinity' as is_now,
        array(select each from unnest(string_to_array(p.path::text, '.')::uuid[]) each where each = any(anchored.ids) order by each) as under
    from organisation.unit_paths p cross join anchored where p.known_to = 'infinity' or p.known_to = :known),
stood as (
    select distinct on (unit_id) unit_id, under from paths
    order by unit_id, is_old desc, valid_from <= :day::date desc, case when valid_from <= :day then valid_from end desc, valid_from),
stands as (
    (select distinct on (unit_id) unit_id, under, valid_from from paths where is_now
     order by unit_id, valid_from <= :day desc, case when valid_from <= :day then valid_from end desc, valid_from)
    union all select unit_id, under, valid_from from paths where is_now and valid_to > :day)
select stands.unit_id as id, stands.valid_from as day from stands join stood using (unit_id)
where stands.under <> stood.under order by stands.valid_from limit 1;

-- name: unit_names
-- The names of some units on a day.
select u.id, organisation.name_of(u.id, :day) as name from unnest(:ids::uuid[]) u (id) order by u.id;
