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
    in_flight jsonb not null,          -- key -> calls being carried out
    resting uuid[] not null default '{}' -- the releases that the process leaves alone, because they have not answered
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
    detail jsonb,
    erased_at timestamptz              -- when persons were taken out of it
);
create index trail_waiting on base.trail (seq) where position is null;
create index trail_subjects on base.trail using gin (subjects);
create index trail_at on base.trail (at, seq);
create index trail_user on base.trail (user_id, at, seq) where user_id is not null;
create index trail_release on base.trail (release_id, at, seq) where release_id is not null;
create index trail_agreement on base.trail (agreement_id, at, seq) where agreement_id is not null;
create index trail_purpose on base.trail (purpose, at, seq) where purpose is not null;
create index trail_request on base.trail (request_id) where request_id is not null;

create view base.v_trail as select * from base.trail;
create view base.v_leases as select * from base.leases;
create view base.v_streams as select * from base.streams;
create view base.v_fences as select * from base.fences;

create function base.refuse_change() returns trigger language plpgsql as
$$ begin raise exception '% is append-only', tg_table_name; end $$;

create trigger trail_keeps before delete or truncate on base.trail for each statement execute function base.refuse_change();
create trigger trail_keeps_positions before update of position on base.trail
    for each row when (old.position is not null) execute function base.refuse_change();
-- An entry changes in one way only: persons are taken out of it, and with the last one what else could lead to them.
create trigger trail_keeps_content
before update of seq, id, at, request_id, kind, user_id, release_id, agreement_id, grant_id, category, operation, purpose, subjects, result, call_id, detail, erased_at
    on base.trail for each row
    when (not (old.position is not null and new.erased_at is not null and new.subjects <@ old.subjects and new.detail is null
        and (old.seq, old.id, old.at, old.kind, old.operation, old.result) = (new.seq, new.id, new.at, new.kind, new.operation, new.result)
        and (old.release_id, old.agreement_id, old.grant_id, old.category, old.purpose)
            is not distinct from (new.release_id, new.agreement_id, new.grant_id, new.category, new.purpose)
        and case when new.subjects = '{}' then num_nonnulls(new.user_id, new.request_id, new.call_id) = 0
            else (old.user_id, old.request_id, old.call_id) is not distinct from (new.user_id, new.request_id, new.call_id) end))
    execute function base.refuse_change();

-- Takes a person out of entries that have a position. The only road to it is here, and the trigger lets nothing else pass.
create function base.erase_subject(person uuid, positions bigint[]) returns void language sql as $$
    update base.trail set erased_at = clock_timestamp(), detail = null, subjects = array_remove(subjects, person),
        user_id = case when subjects <@ array[person] then null else user_id end,
        request_id = case when subjects <@ array[person] then null else request_id end,
        call_id = case when subjects <@ array[person] then null else call_id end
    where position = any(positions) $$;

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
