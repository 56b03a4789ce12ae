-- Agreements, who signed them, and what has happened to them. The state is derived, never stored.
create table agreements.agreements (
    id uuid constraint agreements_id_key primary key,
    partner_id uuid not null references partners.organisations (id),
    content jsonb not null,
    hash text not null,
    proposed_at timestamptz not null default clock_timestamp()
);

create table agreements.signatures (
    agreement_id uuid not null references agreements.agreements (id),
    party text not null check (party in ('partner', 'municipality')),
    jws text not null,
    at timestamptz not null default clock_timestamp(),
    constraint signatures_once primary key (agreement_id, party)
);

create table agreements.confirmations (
    agreement_id uuid not null references agreements.agreements (id),
    user_id uuid not null references identity.users (id),
    at timestamptz not null default clock_timestamp(),
    primary key (agreement_id, user_id)
);

create table agreements.events (
    seq bigint generated always as identity primary key,
    agreement_id uuid not null references agreements.agreements (id),
    kind text not null check (kind in ('suspend', 'resume', 'exit')),
    user_id uuid references identity.users (id),
    at timestamptz not null default clock_timestamp()
);
create index events_agreement on agreements.events (agreement_id, seq);
