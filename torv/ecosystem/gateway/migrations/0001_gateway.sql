-- Answers kept for retries, and shadow comparisons.
create table gateway.calls (
    key text primary key,              -- hash of caller, capability and the caller's own key
    request_hash bytea not null,
    call_id uuid not null,
    process uuid,                      -- who carries it out now; null if nobody
    status int,                        -- null until answered
    content_type text,
    body bytea,
    location text,                     -- of a page: where its reader is sent on to
    at timestamptz not null default clock_timestamp()
);
create index calls_at on gateway.calls (at);

create table gateway.comparisons (
    seq bigint generated always as identity primary key,
    capability text not null,
    release_id uuid not null,
    operation text not null,
    call_id uuid not null,
    is_equal boolean not null,
    paths text[] not null,
    hash_in_service bytea not null,
    hash_shadow bytea not null,
    at timestamptz not null default clock_timestamp()
);
create index comparisons_release on gateway.comparisons (capability, release_id, at);
