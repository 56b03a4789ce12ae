-- Migrations, the trail, the feed's streams, the leases and the fences.
create table base.generation (
    only_row boolean primary key default true check (only_row),
    number bigint not null default 1
);
insert into base.generation default values;

create table base.fences (
    key text primary key,
    raised_at timestamptz not null default clock_timestamp(),
    is_forced boolean not null default false  -- calls still in flight are cut
);

create table base.leases (
    process uuid primary key,
    kind text not null,                -- api | worker
    renewed_at timestamptz not null,
    generation bigint not null,        -- what the process decides by
    fences text[] not null,            -- the fences it honours
    in_flight jsonb not null           -- key -> calls being carried out
);

create table base.streams (
    name text primary key,
    position bigint not null default 0 -- the last one given
);

-- Who did what to whose data, why, under which grant. Append-only; position comes from the sequencer.
create table base.trail (
    seq bigint generated always as identity primary key,
    position bigint unique,
    id uuid not null,
    at timestamptz not null,
    request_id uuid,
    kind text not null,                -- read | write | refusal | intent | outcome | system
    user_id uuid,
    release_id uuid,
    agreement_id uuid,
    grant_id text,
    category text,
    operation text not null,
    purpose text,
    subjects uuid[] not null,          -- the persons it is about
    result text not null,              -- permitted, or the code of the refusal
    call_id uuid,                      -- joins the intent of a gateway call with its outcome
    detail jsonb
);
create index trail_waiting on base.trail (seq) where position is null;
create index trail_subjects on base.trail using gin (subjects);
create index trail_at on base.trail (at, seq);

create view base.v_trail as select * from base.trail;
create view base.v_leases as select * from base.leases;
create view base.v_streams as select * from base.streams;
create view base.v_fences as select * from base.fences;

create function base.refuse_change() returns trigger language plpgsql as
$$ begin raise exception '% is append-only', tg_table_name; end $$;

create trigger trail_keeps before delete or truncate on base.trail for each statement execute function base.refuse_change();

-- Whether a row whose units (its own and those above) are given lies within limits: of each list, one of its units.
create function base.reaches(limits jsonb, above uuid[]) returns boolean language sql immutable parallel safe as
$$ select not exists (
    select from jsonb_array_elements(limits) as l (units)
    where not (array(select jsonb_array_elements_text(l.units)::uuid) && above)) $$;

-- Answers to writes, kept for whoever repeats one under the same key.
create table base.answers (
    key bytea primary key,             -- hash of caller, operation and the caller's own key
    request_hash bytea not null,
    status int not null,
    headers jsonb not null,
    body bytea not null,
    at timestamptz not null default clock_timestamp()
);
create index answers_at on base.answers (at);
