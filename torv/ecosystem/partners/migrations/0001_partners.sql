-- Organisations and the keys they sign with.
create table partners.organisations (
    id uuid primary key,
    cvr text not null constraint organisations_cvr_key unique check (cvr ~ '^[0-9]{8}$'),
    name text not null,
    kind text not null check (kind in ('municipality', 'organisation'))
);
create unique index organisations_one_municipality on partners.organisations (kind) where kind = 'municipality';

create table partners.keys (
    kid text constraint keys_kid_key primary key,   -- nobody signs with somebody else's key
    partner_id uuid not null references partners.organisations (id),
    jwk jsonb not null,
    enrolled_at timestamptz not null default clock_timestamp(),
    ended_at timestamptz
);

create view partners.v_organisations as select id, cvr, name, kind from partners.organisations;
