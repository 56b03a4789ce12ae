-- Organisations with their history, the keys they sign with, who works for whom, and who could provide what.
create table partners.organisations (
    id uuid primary key,
    version int not null default 1,
    cvr text constraint organisations_cvr_key unique check (cvr ~ '^[0-9]{8}$'),
    registration text,                 -- a foreign organisation's number in the register of its own country
    country text not null check (country ~ '^[A-Z]{2}$'),
    name text not null,
    sort_key text collate "C" not null,
    kind text not null check (kind in ('municipality', 'organisation')),
    contacts jsonb not null,
    merged_into uuid references partners.organisations (id),
    merged_at timestamptz,
    survivor_id uuid not null references partners.organisations (id),  -- itself, or who it is part of by now
    constraint organisations_registration_key unique (country, registration),
    check ((cvr is null) = (registration is not null)),
    check ((country = 'DK') = (cvr is not null)),
    check ((merged_into is null) = (merged_at is null) and (merged_into is null) = (survivor_id = id))
);
create unique index organisations_one_municipality on partners.organisations (kind) where kind = 'municipality';
create index organisations_by_name on partners.organisations (sort_key, id) where survivor_id = id;
create index organisations_survivor on partners.organisations (survivor_id);

create table partners.organisation_versions (
    partner_id uuid not null references partners.organisations (id),
    version int not null,
    name text not null,
    contacts jsonb not null,
    merged_into uuid,
    user_id uuid,                      -- who changed it
    known_at timestamptz not null default clock_timestamp(),
    primary key (partner_id, version)
);

-- Keys: sent by the partner under a one-time code, in use when the contract manager has confirmed the fingerprint.
create table partners.keys (
    kid text constraint keys_kid_key primary key,   -- nobody signs with somebody else's key, and no key comes back
    partner_id uuid not null references partners.organisations (id),
    jwk jsonb not null,
    fingerprint text not null,
    enrolled_at timestamptz not null default clock_timestamp(),
    confirmed_at timestamptz,
    confirmed_by uuid,
    valid_from timestamptz,
    valid_to timestamptz,              -- the first instant at which it no longer holds
    ended_at timestamptz,              -- taken out of use, with effect at once
    constraint keys_period check (valid_to > valid_from)
);
create index keys_partner on partners.keys (partner_id);

create table partners.codes (
    id text primary key,               -- the first part of the code: not secret, finds the row
    partner_id uuid not null references partners.organisations (id),
    secret_hash bytea not null,        -- SHA-256 of the rest: who reads the table cannot use a code
    issued_by uuid,
    issued_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz not null,
    failures int not null default 0,
    used_at timestamptz,
    ended_at timestamptz               -- another code took its place
);
create unique index codes_one_open on partners.codes (partner_id) where used_at is null and ended_at is null;

-- Who tries codes, noted before a code is looked at.
create table partners.attempts (
    address_hash bytea not null,
    at timestamptz not null default clock_timestamp()
);
create index attempts_address on partners.attempts (address_hash, at);
create index attempts_at on partners.attempts (at);

-- The supply chain: who works for whom in providing a capability, and what the municipality has approved of it.
create table partners.links (
    id uuid primary key,
    version int not null default 1,
    capability text not null,
    supplier_id uuid not null constraint links_supplier_known references partners.organisations (id),
    sub_supplier_id uuid not null constraint links_sub_supplier_known references partners.organisations (id),
    task text not null,
    country text not null check (country ~ '^[A-Z]{2}$'),  -- where the work is done
    registered_at timestamptz not null default clock_timestamp(),
    registered_by uuid,
    approved_at timestamptz,
    approved_by uuid,
    approved_from date,
    approved_to date,                  -- the first day on which it no longer holds
    withdrawn_at timestamptz,
    withdrawn_by uuid,
    check (supplier_id <> sub_supplier_id),
    check (approved_by <> registered_by),
    constraint links_period check (approved_to > approved_from)
);
create unique index links_once on partners.links (capability, supplier_id, sub_supplier_id, country)
where withdrawn_at is null;
create index links_by_capability on partners.links (capability collate "C", id);

-- The market: what an organisation is to a capability. The same one may supply here and compete there.
create table partners.roles (
    id uuid primary key,
    capability text not null,
    partner_id uuid not null constraint roles_partner_known references partners.organisations (id),
    role text not null check (role in ('supplier', 'sub_supplier', 'competitor', 'prospect')),
    since timestamptz not null default clock_timestamp(),
    constraint roles_once unique (capability, partner_id, role)
);
create index roles_by_capability on partners.roles (capability collate "C", id);

-- The newest certification of each organisation and capability, for the market; modules keeps every report.
create table partners.trials (
    partner_id uuid not null references partners.organisations (id),
    capability text not null,
    release text not null,             -- the module and its version, for people
    level text,                        -- null: not even the first was reached
    certifier text not null,
    certified_at timestamptz not null,
    expires_at timestamptz not null,
    primary key (partner_id, capability)
);

-- Every organisation ever registered, with the facts of the one it is part of by now.
create view partners.v_organisations as
select o.id, s.id as survivor_id, s.cvr, s.registration, s.country, s.name, s.kind
from partners.organisations o join partners.organisations s on s.id = o.survivor_id;
