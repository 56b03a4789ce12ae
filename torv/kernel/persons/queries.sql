-- name: insert_person
-- Registers a person with what is true today.
insert into persons.persons (id, cpr, sex, birth_date, given_names, family_name, address, hides_address, hides_name,
    civil_status, status, name_sort, name_search, address_search, refresh_on)
values (:id, :cpr, :sex, :birth_date, :given_names, :family_name, :address, :hides_address, :hides_name,
    :civil_status, :status, :name_sort, :name_search, :address_search, :refresh_on);

-- name: set_snapshot
-- Sets what is true today, as the next version.
update persons.persons
set version = version + 1, known_at = clock_timestamp(), given_names = :given_names, family_name = :family_name, address = :address,
    hides_address = :hides_address, hides_name = :hides_name, civil_status = :civil_status, status = :status,
    name_sort = :name_sort, name_search = :name_search, address_search = :address_search, refresh_on = :refresh_on
where id = :id and version = :expected;

-- name: refresh_snapshot
-- Sets what has become true by the passing of time alone; nothing new is known, so the version stays.
update persons.persons
set given_names = :given_names, family_name = :family_name, address = :address, hides_address = :hides_address, hides_name = :hides_name,
    civil_status = :civil_status, status = :status, name_sort = :name_sort, name_search = :name_search,
    address_search = :address_search, refresh_on = :refresh_on
where id = :id;

-- name: persons_to_refresh
-- Persons of whom something has become true, or ceased to be, since their row was made.
select id from persons.persons where refresh_on <= :today order by refresh_on limit :size for update skip locked;

-- name: person_by_id
-- A person as of today; a row that is not from today is protected until it has been made anew.
select id, version, cpr, sex, birth_date, given_names, family_name, address,
       hides_address or coalesce(refresh_on <= :today, false) as has_protected_address,
       hides_name or coalesce(refresh_on <= :today, false) as has_protected_name, civil_status, status, known_at
from persons.persons where id = :id and merged_into is null;

-- name: successor
-- Whom a merged person turned out to be, to the end of the chain.
with recursive chain as (
    select merged_into from persons.persons where id = :id
    union
    select p.merged_into from persons.persons p join chain c on p.id = c.merged_into)
select p.id from chain c join persons.persons p on p.id = c.merged_into where p.merged_into is null;

-- name: person_by_number
-- The person who has or had a number, as of today; see person_by_id.
select p.id, p.version, p.cpr, p.sex, p.birth_date, p.given_names, p.family_name, p.address,
       p.hides_address or coalesce(p.refresh_on <= :today, false) as has_protected_address,
       p.hides_name or coalesce(p.refresh_on <= :today, false) as has_protected_name, p.civil_status, p.status, p.known_at
from persons.numbers n join persons.persons p on p.id = n.person_id where n.cpr = :cpr and p.merged_into is null;

-- name: person_of_number
-- The person who has or had a number.
select person_id from persons.numbers where cpr = :cpr;

-- name: insert_number
-- Gives a person a number.
insert into persons.numbers (cpr, person_id) values (:cpr, :person_id);

-- name: set_number
-- Makes a number the person's present one.
update persons.persons set cpr = :cpr, sex = coalesce(:sex, sex), birth_date = coalesce(:birth_date, birth_date), version = version + 1, known_at = clock_timestamp()
where id = :id and version = :expected;

-- name: lock_persons
-- Locks persons in the order of their ids, so that two changes never wait for each other.
select id from persons.persons where id = any(:ids::uuid[]) order by id for update;

-- name: merge
-- Lets one person resolve to another.
update persons.persons set merged_into = :into, cpr = null, version = version + 1, known_at = clock_timestamp() where id = :id and version = :expected;

-- name: move_numbers
-- Gives a merged person's numbers to the other.
update persons.numbers set person_id = :into where person_id = :id;

-- name: move_relations
-- Gives a merged person's relations to the other.
update persons.relations set person_id = :into where person_id = :id and known_to is null;

-- name: known_facts
-- What we think now of a person.
select kind, value, valid_from, valid_to, known_from, known_to from persons.facts where person_id = :person_id and known_to is null order by kind, valid_from nulls first, id;

-- name: facts_known_at
-- What we thought of a person at an instant.
select kind, value, valid_from, valid_to, known_from, known_to from persons.facts
where person_id = :person_id and known_from <= :known_at and (known_to is null or known_to > :known_at) order by kind, valid_from nulls first, id;

-- name: end_facts
-- Notes that some facts are no longer thought.
update persons.facts f set known_to = clock_timestamp()
from jsonb_to_recordset(:facts::jsonb) as e (kind text, value jsonb, valid_from date, valid_to date)
where f.person_id = :person_id and f.known_to is null and f.kind = e.kind and f.value = e.value
  and f.valid_from is not distinct from e.valid_from and f.valid_to is not distinct from e.valid_to;

-- name: insert_facts
-- Notes facts.
insert into persons.facts (person_id, kind, value, valid_from, valid_to, source)
select person_id, kind, value, valid_from, valid_to, :source
from jsonb_to_recordset(:facts::jsonb) as e (person_id uuid, kind text, value jsonb, valid_from date, valid_to date);

-- name: search_by_name
-- Persons whose name has the words of :name, in Danish order; what the permit does not cover is neither found nor sorted by.
-- Materialized: planned as one, a rare name may be sought by walking through everybody in the order of the list.
with alike as materialized (
    select id, version, cpr, sex, birth_date, given_names, family_name, address, name_sort,
           hides_address or coalesce(refresh_on <= :today, false) as has_protected_address,
           hides_name or coalesce(refresh_on <= :today, false) as has_protected_name, civil_status, status, known_at
    from persons.persons
    where merged_into is null and array_to_tsvector(string_to_array(name_search, ' ')) @@ :name::tsquery
      and (:sees_names or not (hides_name or coalesce(refresh_on <= :today, false))))
select * from alike where :after_sort::text is null or (name_sort, id) > (:after_sort, :after_id::uuid)
order by name_sort, id limit :size;

-- name: search_by_birth_date
-- Persons born on a day, and perhaps with the words of :name, in Danish order.
select id, version, cpr, sex, birth_date, given_names, family_name, address, name_sort,
       hides_address or coalesce(refresh_on <= :today, false) as has_protected_address,
       hides_name or coalesce(refresh_on <= :today, false) as has_protected_name, civil_status, status, known_at
from persons.persons
where merged_into is null and birth_date = :birth_date
  and (:name::tsquery is null or array_to_tsvector(string_to_array(name_search, ' ')) @@ :name)
  and (:sees_names or not (hides_name or coalesce(refresh_on <= :today, false)))
  and (:after_sort::text is null or (name_sort, id) > (:after_sort, :after_id::uuid))
order by name_sort, id limit :size;

-- name: search_by_address
-- Persons whose address has the words of :address, in Danish order; a protected one finds nobody unless the permit covers it.
-- Not materialized: where a whole town fits, walking through everybody in the order of the list has enough at once.
select id, version, cpr, sex, birth_date, given_names, family_name, address, name_sort,
       hides_address or coalesce(refresh_on <= :today, false) as has_protected_address,
       hides_name or coalesce(refresh_on <= :today, false) as has_protected_name, civil_status, status, known_at
from persons.persons
where merged_into is null and array_to_tsvector(string_to_array(address_search, ' ')) @@ :address::tsquery
  and (:birth_date::date is null or birth_date = :birth_date)
  and (:name::tsquery is null or array_to_tsvector(string_to_array(name_search, ' ')) @@ :name)
  and (:sees_names or not (hides_name or coalesce(refresh_on <= :today, false)))
  and (:sees_addresses or not (hides_address or coalesce(refresh_on <= :today, false)))
  and (:after_sort::text is null or (name_sort, id) > (:after_sort, :after_id::uuid))
order by name_sort, id limit :size;

-- name: insert_words
-- Notes words that are not known yet; in order, so that two who note the same ones never wait for each other in a ring.
insert into persons.words as w (kind, word, sound, is_open)
select e.kind, e.word, e.sound, bool_or(e.is_open)
from unnest(:kinds::text[], :words::text[], :sounds::text[], :open::boolean[]) as e (kind, word, sound, is_open)
where not exists (select from persons.words k where k.kind = e.kind and k.word = e.word and (k.is_open or not e.is_open))
group by 1, 2, 3 order by 1, 2
on conflict (kind, word) do update set is_open = true where excluded.is_open and not w.is_open;

-- name: spellings
-- The words that bear on some words of a search: the same, heard alike, or written alike.
select asked.word as asked, near.word from unnest(:words::text[], :sounds::text[]) as asked (word, sound), lateral (
    select w.word from persons.words w where w.kind = :kind and w.word = asked.word and (w.is_open or :sees_hidden)
    union
    (select w.word from persons.words w where w.kind = :kind and w.sound = asked.sound and (w.is_open or :sees_hidden) limit :size)
    union
    (select w.word from persons.words w where w.word % asked.word and w.kind = :kind and (w.is_open or :sees_hidden)
     order by similarity(w.word, asked.word) desc, w.word limit :size)) as near;

-- name: insert_relation
-- Notes a relation.
insert into persons.relations (id, person_id, kind, cpr, name, valid_from, valid_to, source)
values (:id, :person_id, :kind, :cpr, :name, :valid_from, :valid_to, 'hand');

-- name: end_relation
-- Ends a relation on a day: what we thought stays in the history.
with ended as (
    update persons.relations set known_to = clock_timestamp() where id = :id and person_id = :person_id and known_to is null returning *)
insert into persons.relations (person_id, kind, cpr, name, valid_from, valid_to, source)
select person_id, kind, cpr, name, valid_from, :valid_to, 'hand' from ended returning id;

-- name: relations_of
-- Who stands in a relation to a person on a day, and whose parent the person is.
select r.id, r.kind, n.person_id, coalesce(r.name, o.given_names || ' ' || o.family_name) as name, r.valid_from, r.valid_to,
       coalesce(o.hides_name or coalesce(o.refresh_on <= :today, false), false) as hides_name
from persons.relations r left join persons.numbers n on n.cpr = r.cpr left join persons.persons o on o.id = n.person_id
where r.person_id = :person_id and r.known_from <= :known_at and (r.known_to is null or r.known_to > :known_at)
  and (r.valid_from is null or r.valid_from <= :valid_at) and (r.valid_to is null or r.valid_to > :valid_at)
union all
select null, 'child', r.person_id, c.given_names || ' ' || c.family_name, r.valid_from, r.valid_to,
       c.hides_name or coalesce(c.refresh_on <= :today, false)
from persons.numbers n join persons.relations r on r.cpr = n.cpr and r.kind = 'parent' join persons.persons c on c.id = r.person_id
where n.person_id = :person_id and c.merged_into is null and r.known_from <= :known_at and (r.known_to is null or r.known_to > :known_at)
order by 2, 5 nulls first, 4;

-- name: imported_before
-- Of some numbers: the person, and what the register said last.
select n.cpr, n.person_id, i.digest from persons.numbers n
left join persons.imports i on i.person_id = n.person_id and i.source = :source
where n.cpr = any(:cprs::text[]);

-- name: insert_imported
-- Registers or renews many persons at once.
insert into persons.persons (id, cpr, sex, birth_date, given_names, family_name, address, hides_address, hides_name,
    civil_status, status, name_sort, name_search, address_search, refresh_on)
select p.id, e.cpr, e.sex, e.birth_date, e.given_names, e.family_name, e.address, e.hides_address, e.hides_name,
    e.civil_status, e.status, e.name_sort, e.name_search, e.address_search, e.refresh_on
from unnest(:cpr::text[], :sex::text[], :birth_date::date[], :given_names::text[], :family_name::text[], :address::text[], :hides_address::boolean[],
    :hides_name::boolean[], :civil_status::text[], :status::text[], :name_sort::text[], :name_search::text[], :address_search::text[], :refresh_on::date[])
    with ordinality as e (cpr, sex, birth_date, given_names, family_name, address, hides_address, hides_name, civil_status, status, name_sort,
    name_search, address_search, refresh_on, place)
join unnest(:places::int[], :person_ids::uuid[]) as p (place, id) on p.place = e.place - 1
on conflict (id) do update set version = persons.persons.version + 1, known_at = clock_timestamp(), cpr = excluded.cpr, sex = excluded.sex,
    birth_date = excluded.birth_date, given_names = excluded.given_names, family_name = excluded.family_name, address = excluded.address,
    hides_address = excluded.hides_address, hides_name = excluded.hides_name, civil_status = excluded.civil_status, status = excluded.status,
    name_sort = excluded.name_sort, name_search = excluded.name_search, address_search = excluded.address_search, refresh_on = excluded.refresh_on;

-- name: insert_numbers
-- Gives many persons their numbers; one that is known already stays with whom it belongs to.
insert into persons.numbers (cpr, person_id)
select e.cpr, p.id from unnest(:of::int[], :cpr::text[]) as e (of, cpr) join unnest(:places::int[], :person_ids::uuid[]) as p (place, id) on p.place = e.of
on conflict (cpr) do nothing;

-- name: end_missing_facts
-- Of persons that a register has changed: ends the facts it no longer gives.
update persons.facts f set known_to = clock_timestamp()
where f.person_id = any(:person_ids::uuid[]) and f.source = :source and f.known_to is null and not exists (
    select from unnest(:of::int[], :kind::text[], :value::text[], :valid_from::date[], :valid_to::date[]) as e (of, kind, value, valid_from, valid_to)
    join unnest(:places::int[], :person_ids) as p (place, id) on p.place = e.of
    where p.id = f.person_id and e.kind = f.kind and e.value::jsonb = f.value
      and e.valid_from is not distinct from f.valid_from and e.valid_to is not distinct from f.valid_to);

-- name: insert_missing_facts
-- Of persons that a register has changed: notes the facts it gives that are not there.
insert into persons.facts (person_id, kind, value, valid_from, valid_to, source)
select p.id, e.kind, e.value::jsonb, e.valid_from, e.valid_to, :source
from unnest(:of::int[], :kind::text[], :value::text[], :valid_from::date[], :valid_to::date[]) as e (of, kind, value, valid_from, valid_to)
join unnest(:places::int[], :person_ids::uuid[]) as p (place, id) on p.place = e.of
where not exists (
    select from persons.facts f where f.person_id = p.id and f.known_to is null and f.kind = e.kind and f.value = e.value::jsonb
      and f.valid_from is not distinct from e.valid_from and f.valid_to is not distinct from e.valid_to);

-- name: insert_imported_facts
-- Notes facts of persons who are new.
insert into persons.facts (person_id, kind, value, valid_from, valid_to, source)
select p.id, e.kind, e.value::jsonb, e.valid_from, e.valid_to, :source
from unnest(:of::int[], :kind::text[], :value::text[], :valid_from::date[], :valid_to::date[]) as e (of, kind, value, valid_from, valid_to)
join unnest(:places::int[], :person_ids::uuid[]) as p (place, id) on p.place = e.of;

-- name: end_imported_relations
-- Of persons that a register has changed: ends the relations it gave before.
update persons.relations set known_to = clock_timestamp() where person_id = any(:person_ids::uuid[]) and source = :source and known_to is null;

-- name: insert_relations
-- Notes many relations.
insert into persons.relations (person_id, kind, cpr, name, valid_from, valid_to, source)
select p.id, e.kind, e.cpr, e.name, e.valid_from, e.valid_to, :source
from unnest(:of::int[], :kind::text[], :cpr::text[], :name::text[], :valid_from::date[], :valid_to::date[]) as e (of, kind, cpr, name, valid_from, valid_to)
join unnest(:places::int[], :person_ids::uuid[]) as p (place, id) on p.place = e.of;

-- name: remember_imports
-- Remembers what the register said.
insert into persons.imports (person_id, source, digest)
select id, :source, digest from unnest(:person_ids::uuid[], :digests::bytea[]) as e (id, digest)
on conflict (person_id, source) do update set digest = excluded.digest;
