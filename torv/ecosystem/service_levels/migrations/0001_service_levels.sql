-- What the log says of each minute's calls, who was bound when, what was announced, and the statements of closed months.
-- All but the statements is gathered from the log, and names nobody.
create table service_levels.progress (
    only_row boolean primary key default true check (only_row),
    position bigint not null default 0 -- how far the log has been gathered
);
insert into service_levels.progress default values;

create table service_levels.minutes (
    service text not null,
    minute timestamptz not null,       -- its first instant
    operation text not null,
    unit_id uuid,                      -- of the binding that they went by; null: the whole municipality's
    release_id uuid,                   -- who was to answer; null: it was not known yet
    agreement_id uuid,                 -- under which
    is_refusal boolean not null,       -- refused before it was carried
    result text not null,              -- as the log has it
    status int,                        -- the module's, where it answered
    calls int not null,
    module_us int[] not null,          -- of each call that the module answered
    hold_us bigint not null,           -- of all of them together
    torv_us bigint not null,
    first_position bigint not null,
    last_position bigint not null,
    constraint minutes_once unique nulls not distinct (service, minute, operation, unit_id, release_id, agreement_id, is_refusal, result, status)
);

create index minutes_minute on service_levels.minutes using brin (minute);  -- for deleting by age alone

-- Calls of which the log has the intent and, so far, no outcome: those of an hour ago will hardly get one.
create table service_levels.open_calls (
    call_id uuid primary key,
    position bigint not null,          -- of the intent
    service text not null,
    unit_id uuid,                      -- as in minutes
    operation text not null,
    at timestamptz not null
);
create index open_calls_at on service_levels.open_calls (at);

-- How long the minutes of a sealed month are kept at least. A municipality with another rule adds a line.
create table service_levels.retentions (
    valid_from date primary key,
    months int not null check (months >= 13),
    source text not null
);
insert into service_levels.retentions (valid_from, months, source) values
    ('2008-01-01', 36, 'Forældelsesloven § 3, stk. 1: krav efter en aftale forældes efter 3 år');

-- The month up to which minutes were deleted: no statement of an earlier one is ever made again.
create table service_levels.forgotten (
    only_row boolean primary key default true check (only_row),
    before date not null default '-infinity'
);
insert into service_levels.forgotten default values;

create table service_levels.bindings (
    position bigint primary key,
    service text not null,
    unit_id uuid,                      -- of the binding; null: the whole municipality's
    release_id uuid,                   -- null: the unit's binding went up into the one above it
    at timestamptz not null
);
create index bindings_service on service_levels.bindings (service, position);

create table service_levels.notices (
    id uuid primary key,
    position bigint not null,
    agreement_id uuid not null,
    service text not null,
    kind text not null check (kind in ('maintenance', 'own_fault')),
    begins timestamptz not null,
    ends timestamptz not null check (ends > begins),
    announced_at timestamptz not null
);
create index notices_agreement on service_levels.notices (agreement_id, id);

-- How far the log had come when something last concerned a month: what is sealed and older is looked at again.
create table service_levels.touched (
    service text not null,
    month date not null,               -- its first day, in Denmark
    position bigint not null,
    primary key (service, month)
);

create table service_levels.statements (
    id uuid primary key,
    agreement_id uuid not null references agreements.agreements (id),
    partner_id uuid not null references partners.organisations (id),
    month date not null,
    version int not null,
    reason text not null,
    hash text not null,
    content jsonb not null,
    gathered_to bigint not null,
    sealed_at timestamptz not null,
    constraint statements_once unique (agreement_id, month, version)
);
create index statements_partner on service_levels.statements (partner_id, id);
