-- name: insert_user
-- Creates a user.
insert into identity.users (id, login, name, sort_key, employee_id, password_hash)
values (:id, :login, :name, :sort_key, :employee_id, :password_hash)
returning id, version, login, name, employee_id, locked_at is not null as is_locked;

-- name: user_by_id
-- A user.
select id, version, login, name, employee_id, locked_at is not null as is_locked from identity.users where id = :id;

-- name: users_by_name
-- Users by name.
select id, version, login, name, employee_id, locked_at is not null as is_locked from identity.users
where (sort_key, id) > (:after_name::text collate "C", :after_id::uuid) order by sort_key, id limit :size;

-- name: change_user
-- Changes name and employee, if :expected is the present version.
update identity.users set version = version + 1, name = :name, sort_key = :sort_key, employee_id = :employee_id
where id = :id and version = :expected
returning id, version, login, name, employee_id, locked_at is not null as is_locked;

-- name: lock_user
-- Locks or unlocks a user.
update identity.users set version = version + 1, locked_at = case when :is_locked::boolean then coalesce(locked_at, clock_timestamp()) end
where id = :id returning id, version, login, name, employee_id, locked_at is not null as is_locked;

-- name: set_password
-- Stores the hash of a password.
update identity.users set password_hash = :password_hash where id = :id;

-- name: replace_hash
-- Stores a stronger hash of the same password, unless the password was changed meanwhile.
update identity.users set password_hash = :password_hash where id = :id and password_hash = :verified_hash;

-- name: credentials_by_login
-- What is needed to check the password of a name.
select id, password_hash, locked_at is not null as is_locked from identity.users where login = :login;

-- name: lock_login
-- Lets attempts under one name come one at a time, until the transaction ends.
select pg_advisory_xact_lock(hashtextextended('sign in ' || encode(:login_hash::bytea, 'hex'), 0));

-- name: attempts
-- How often signing in has failed in the last quarter of an hour.
with recent as (
    select address_hash from identity.attempts
    where at > clock_timestamp() - interval '15 minutes' and login_hash = :login_hash::bytea),
known as (
    select distinct s.address_hash from identity.sessions s join identity.users u on u.id = s.user_id
    where u.login = :login and s.began_at > clock_timestamp() - interval '30 days')
select (select count(*) from recent where address_hash = :address_hash::bytea) as of_pair,
    (select count(*) from recent where address_hash not in (select address_hash from known)) as of_login,
    (select count(*) from identity.attempts where address_hash = :address_hash and at > clock_timestamp() - interval '15 minutes') as of_address,
    exists (select from known where address_hash = :address_hash) as is_known_here;

-- name: insert_attempt
-- Notes an attempt to sign in, under the hashes of the name and the address, and forgets some of those older than a day.
with old as (
    delete from identity.attempts where ctid in (
        select ctid from identity.attempts where at < clock_timestamp() - interval '1 day' limit 100 for update skip locked))
insert into identity.attempts (login_hash, address_hash) values (:login_hash, :address_hash);

-- name: forget_attempts
-- Forgets the failed attempts under a name from an address, after a success.
delete from identity.attempts where login_hash = :login_hash and address_hash = :address_hash;

-- name: insert_session
-- Begins a session, kept under the hash of its token; nothing happens if the password or the lock has changed since it was looked at.
insert into identity.sessions (token_hash, user_id, address_hash)
select :token_hash, id, :address_hash from identity.users where id = :user_id and password_hash = :verified_hash and locked_at is null;

-- name: forget_sessions
-- Forgets a user's sessions that are older than 90 days.
delete from identity.sessions where user_id = :user_id and began_at < clock_timestamp() - interval '90 days';

-- name: user_of_session
-- The user of a session in force, with the roles that are not taken back, and the unit of their positions if that is one.
select u.id, u.name, s.id as session_id, s.seen_at < clock_timestamp() - interval '1 minute' as is_stale,
    coalesce((
        select jsonb_agg(jsonb_build_object('role', r.name, 'permits', r.permits, 'categories', r.categories, 'units', a.units, 'kle', a.kle,
            'sensitivity', a.sensitivity, 'valid_from', a.valid_from, 'valid_to', a.valid_to) order by a.id)
        from identity.assignments a join identity.roles r on r.id = a.role_id where a.user_id = u.id and a.ended_at is null), '[]') as rights,
    (select case when count(distinct p.unit_id) = 1 then (array_agg(p.unit_id))[1] end from organisation.v_positions p
     where p.employee_id = u.employee_id and p.valid_from <= d.day and d.day < p.valid_to) as unit_id
from identity.v_sessions_in_force s join identity.users u on u.id = s.user_id
cross join (select (clock_timestamp() at time zone 'Europe/Copenhagen')::date as day) d
where s.token_hash = :token_hash;

-- name: user_acted_for
-- The roles of a user that are not taken back, and the unit of their positions; no row for somebody who is locked or unknown.
select coalesce((
        select jsonb_agg(jsonb_build_object('role', r.name, 'permits', r.permits, 'categories', r.categories, 'units', a.units, 'kle', a.kle,
            'sensitivity', a.sensitivity, 'valid_from', a.valid_from, 'valid_to', a.valid_to) order by a.id)
        from identity.assignments a join identity.roles r on r.id = a.role_id where a.user_id = u.id and a.ended_at is null), '[]') as rights,
    (select case when count(distinct p.unit_id) = 1 then (array_agg(p.unit_id))[1] end from organisation.v_positions p
     where p.employee_id = u.employee_id and p.valid_from <= d.day and d.day < p.valid_to) as unit_id
from identity.users u cross join (select (clock_timestamp() at time zone 'Europe/Copenhagen')::date as day) d
where u.id = :user_id and u.locked_at is null;

-- name: touch_session
-- Notes that a session is in use; at most once a minute, so that reading does not become writing.
update identity.sessions set seen_at = clock_timestamp()
where token_hash = :token_hash and seen_at < clock_timestamp() - interval '1 minute';

-- name: end_session
-- Ends a session, known by its token.
update identity.sessions set ended_at = clock_timestamp() where token_hash = :token_hash and ended_at is null;

-- name: end_own_session
-- Ends one session of a user.
update identity.sessions set ended_at = clock_timestamp() where id = :id and user_id = :user_id and ended_at is null;

-- name: end_sessions
-- Ends the sessions of a user, but for one.
update identity.sessions set ended_at = clock_timestamp() where user_id = :user_id and id is distinct from :but and ended_at is null;

-- name: rotate_session
-- Gives a session another token; the old one is worth nothing from then on.
update identity.sessions set token_hash = :token_hash where id = :id and ended_at is null;

-- name: sessions_of
-- The sessions of a user that are in force, newest first.
select id, began_at, seen_at, ends_at, id is not distinct from :this::uuid as is_this
from identity.v_sessions_in_force where user_id = :user_id order by began_at desc;

-- name: insert_role
-- Creates a role with its first version.
with role as (
    insert into identity.roles (id, name, sort_key, description, permits, categories)
    values (:id, :name, :sort_key, :description, :permits, :categories)
    returning *),
history as (
    insert into identity.role_versions (role_id, version, name, description, permits, categories)
    select id, version, name, description, permits, categories from role)
select id, version, name, description, permits, categories, is_fixed from role;

-- name: change_role
-- Makes the next version of a role, if :expected is the present one.
with role as (
    update identity.roles set version = version + 1, name = :name, sort_key = :sort_key, description = :description,
        permits = :permits, categories = :categories
    where id = :id and version = :expected and not is_fixed
    returning *),
history as (
    insert into identity.role_versions (role_id, version, name, description, permits, categories)
    select id, version, name, description, permits, categories from role)
select id, version, name, description, permits, categories, is_fixed from role;

-- name: role_by_id
-- A role.
select id, version, name, description, permits, categories, is_fixed from identity.roles where id = :id;

-- name: roles_by_name
-- Roles by name.
select id, version, name, description, permits, categories, is_fixed from identity.roles
where (sort_key, id) > (:after_name::text collate "C", :after_id::uuid) order by sort_key, id limit :size;

-- name: insert_assignment
-- Gives a user a role.
insert into identity.assignments (id, user_id, role_id, units, kle, sensitivity, valid_from, valid_to)
values (:id, :user_id, :role_id, :units, :kle, :sensitivity, :valid_from, :valid_to)
returning id, user_id, role_id, units, kle, sensitivity, valid_from, valid_to, given_at, ended_at;

-- name: end_assignment
-- Takes a role back at once; one that was taken back before stays as it is.
update identity.assignments set ended_at = coalesce(ended_at, clock_timestamp()) where id = :id
returning id, user_id, role_id, units, kle, sensitivity, valid_from, valid_to, given_at, ended_at;

-- name: assignments_of
-- Every role a user has or had, newest first.
select id, user_id, role_id, units, kle, sensitivity, valid_from, valid_to, given_at, ended_at
from identity.assignments where user_id = :user_id order by given_at desc, id desc;

-- name: lock_administrators
-- Lets changes of who is an administrator come one at a time, until the transaction ends.
select id from identity.roles where id = :role_id for update;

-- name: has_administrator
-- Whether somebody who can sign in has the administrator's role today, without limits and without an end.
select exists (
    select from identity.assignments a join identity.users u on u.id = a.user_id
    where a.role_id = :role_id and a.ended_at is null and a.valid_from <= :today and a.valid_to is null
        and a.units is null and a.kle is null and a.sensitivity is null and u.locked_at is null);
