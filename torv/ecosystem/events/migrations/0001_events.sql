-- Events, who follows them and how far, what could not be delivered, and how far the feed has been turned into events.
create table events.events (
    seq bigint generated always as identity primary key,
    position bigint unique,            -- given by the sequencer
    id uuid not null unique,
    type text not null,
    capability text,                   -- that published it; null: the kernel's own
    subject text not null,             -- an id
    sequence bigint,                   -- 1, 2, 3 ... of the subject, given with the position
    category text not null,            -- the data category a permit must cover
    person_id uuid,
    partner_id uuid,                   -- whom alone it is for; null: whoever's permit reaches it
    unit_id uuid constraint events_unit_known references organisation.units (id), -- whose binding is told, and what limits are held against; null: every binding
    kle text,
    sensitivity int check (sensitivity between 0 and 3),
    data jsonb not null,
    release_id uuid,                   -- that published it
    epoch bigint,
    idempotency_key text,
    request_hash bytea,
    at timestamptz not null default clock_timestamp(),
    constraint events_key unique (capability, idempotency_key)
);
create view events.v_events as select id, type, subject, unit_id, position, at from events.events;
create index events_waiting on events.events (seq) where position is null;
create index events_subject on events.events (subject, sequence);
create index events_type on events.events (type, position);
create index events_at on events.events (at, position);

-- How far each stream of the feed has been turned into events.
create table events.sources (
    name text primary key,
    position bigint not null default 0
);
insert into events.sources (name) values ('records'), ('trail');

-- One for each binding that follows events: it keeps its place whoever provides the capability there.
create table events.subscriptions (
    id uuid primary key,
    key text not null constraint subscriptions_one unique, -- the capability, and `@<unit>` where it is for a unit
    capability text not null,
    unit_id uuid references organisation.units (id),
    types text[] not null,
    mode text not null check (mode in ('pull', 'push')),
    path text not null,                -- at the address of the release in service
    cursor bigint not null,            -- everything up to here was received, is parked, or was not permitted
    turn bigint not null default 1,    -- raised whenever the cursor is set from outside; what is on its way then counts no more
    secret_number int not null default 1,
    secret_changed_at timestamptz not null,
    failures int not null default 0,   -- in a row; the breaker is open while there are some and retry_at lies ahead
    failing_since timestamptz,         -- when the first event waiting was first tried
    retry_at timestamptz,
    stopped_by text,                   -- the check that keeps events from being delivered just now
    created_at timestamptz not null default clock_timestamp()
);

-- With each, whether it is of a capability's only binding: then every event is for it.
create view events.v_subscriptions as
select s.*, (select count(*) < 2 from modules.v_bindings b where b.capability = s.capability) as is_alone from events.subscriptions s;

-- How far each release has come with a binding's events: where it goes on when it comes back.
create table events.receivers (
    key text not null,
    release_id uuid not null,
    position bigint not null,
    primary key (key, release_id)
);

-- Events a receiver has refused, and later ones about the same subject; and dead letters.
create table events.parked (
    id uuid primary key,
    subscription_id uuid not null references events.subscriptions (id),
    position bigint not null references events.events (position),
    subject text not null,
    attempts int not null,
    next_at timestamptz not null,
    last_status int,                   -- of the receiver; null: it was never asked, or did not answer
    dead_at timestamptz,
    constraint parked_once unique (subscription_id, position)
);
create index parked_next on events.parked (subscription_id, next_at) where dead_at is null;
create index parked_dead on events.parked (dead_at, id) where dead_at is not null;

-- Published by modules that did not hold the capability: kept, never told to anybody.
create table events.late (
    id uuid primary key,
    capability text not null,
    release_id uuid not null,
    idempotency_key text not null,
    content jsonb not null,
    at timestamptz not null default clock_timestamp(),
    unique (capability, release_id, idempotency_key)
);
create index late_newest on events.late (at desc, id desc);
