-- Users, their sessions, and failed attempts to sign in.
create table identity.users (
    id uuid primary key,
    login text not null constraint users_login_key unique,
    name text not null,
    role text not null,
    password_hash text not null,       -- argon2id
    created_at timestamptz not null default clock_timestamp()
);

create table identity.sessions (
    token_hash bytea primary key,      -- SHA-256: who reads the table cannot use a session
    user_id uuid not null references identity.users (id),
    began_at timestamptz not null default clock_timestamp(),
    seen_at timestamptz not null default clock_timestamp(),
    ended_at timestamptz
);

create table identity.failures (
    login_hash bytea not null,
    at timestamptz not null default clock_timestamp()
);
create index failures_login on identity.failures (login_hash, at);
