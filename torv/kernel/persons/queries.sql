-- name: insert_person
-- Registers a person with its first version.
with person as (
    insert into persons.persons (id, cpr, given_names, family_name, address, has_protected_address)
    values (:id, :cpr, :given_names, :family_name, :address, :has_protected_address)
    returning *),
history as (
    insert into persons.versions (id, version, cpr, given_names, family_name, address, has_protected_address, known_at)
    select id, version, cpr, given_names, family_name, address, has_protected_address, known_at from person)
select id, version, cpr, given_names, family_name, address, has_protected_address, known_at from person;

-- name: change_person
-- Makes the next version, if :expected is the present one.
with person as (
    update persons.persons
    set version = version + 1, known_at = clock_timestamp(), given_names = coalesce(:given_names, given_names),
        family_name = coalesce(:family_name, family_name), address = coalesce(:address, address),
        has_protected_address = coalesce(:has_protected_address, has_protected_address)
    where id = :id and version = :expected
    returning *),
history as (
    insert into persons.versions (id, version, cpr, given_names, family_name, address, has_protected_address, known_at)
    select id, version, cpr, given_names, family_name, address, has_protected_address, known_at from person)
select id, version, cpr, given_names, family_name, address, has_protected_address, known_at from person;

-- name: person_by_id
-- The present version of a person.
select id, version, cpr, given_names, family_name, address, has_protected_address, known_at from persons.persons where id = :id;

-- name: person_by_cpr
-- The present version of the person with this CPR number.
select id, version, cpr, given_names, family_name, address, has_protected_address, known_at from persons.persons where cpr = :cpr;
