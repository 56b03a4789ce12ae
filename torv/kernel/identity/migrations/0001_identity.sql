-- Users and their sessions, attempts to sign in, roles as data, and who has which role with which limits.
create table identity.users (
    id uuid primary key,
    version int not null default 1,
    login text not null constraint users_login_key unique,
    name text not null,
    sort_key text collate "C" not null,
    employee_id uuid constraint users_employee_known references organisation.employees (id),
    password_hash text not null,       -- argon2id
    locked_at timestamptz,
    created_at timestamptz not null default clock_timestamp()
);
create index users_by_name on identity.users (sort_key, id);
create view identity.v_users as select id, name from identity.users;

create table identity.sessions (
    id uuid primary key default gen_random_uuid(),
    token_hash bytea not null constraint sessions_token_key unique,  -- SHA-256: who reads the table cannot use a session
    user_id uuid not null references identity.users (id),
    address_hash bytea not null,       -- where it was begun
    began_at timestamptz not null default clock_timestamp(),
    seen_at timestamptz not null default clock_timestamp(),
    ended_at timestamptz
);
create index sessions_user on identity.sessions (user_id, began_at);

-- Idle for less than 30 minutes, less than 10 hours old, and the user is not locked.
create view identity.v_sessions_in_force as
select s.id, s.token_hash, s.user_id, s.began_at, s.seen_at,
    least(s.began_at + interval '10 hours', s.seen_at + interval '30 minutes') as ends_at
from identity.sessions s join identity.users u on u.id = s.user_id
where s.ended_at is null and u.locked_at is null
    and s.seen_at > clock_timestamp() - interval '30 minutes' and s.began_at > clock_timestamp() - interval '10 hours';

-- Noted before the password is looked at, taken away when it was right.
create table identity.attempts (
    login_hash bytea not null,
    address_hash bytea not null,
    at timestamptz not null default clock_timestamp()
);
create index attempts_login on identity.attempts (login_hash, at);
create index attempts_address on identity.attempts (address_hash, at);
create index attempts_at on identity.attempts (at);

create table identity.roles (
    id uuid primary key,
    version int not null default 1,
    name text not null constraint roles_name_key unique,
    sort_key text collate "C" not null,
    description text not null,
    permits jsonb not null,            -- service -> operations; * is every one
    categories text[] not null,        -- data categories; * is every one
    is_fixed boolean not null default false
);

create table identity.role_versions (
    role_id uuid not null references identity.roles (id),
    version int not null,
    name text not null,
    description text not null,
    permits jsonb not null,
    categories text[] not null,
    known_at timestamptz not null default clock_timestamp(),
    primary key (role_id, version)
);

create table identity.assignments (
    id uuid primary key,
    user_id uuid not null constraint assignments_user_known references identity.users (id),
    role_id uuid not null constraint assignments_role_known references identity.roles (id),
    units uuid[],                      -- these and what is below them; null: every unit
    kle text[],                        -- numbers that begin with one of these; null: every number
    sensitivity int check (sensitivity between 0 and 3),  -- up to this level; null: every level
    valid_from date not null,
    valid_to date check (valid_to > valid_from),
    given_at timestamptz not null default clock_timestamp(),
    ended_at timestamptz               -- taken back, with effect at once
);
create index assignments_user on identity.assignments (user_id);
create index assignments_role on identity.assignments (role_id) where ended_at is null;

with administrator as (
    insert into identity.roles (id, name, sort_key, description, permits, categories, is_fixed)
    values ('00000000-0000-7000-8000-000000000001', 'Systemadministrator', 'systemadministrator',
        'Må alt i Torv, også tildele roller.', '{"*": ["*"]}', '{*}', true)
    returning *)
insert into identity.role_versions (role_id, version, name, description, permits, categories)
select id, version, name, description, permits, categories from administrator;
