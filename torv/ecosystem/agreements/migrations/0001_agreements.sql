-- Agreements, who signed them, and what has happened to them. The state is derived, never stored.
create table agreements.agreements (
    id uuid constraint agreements_id_key primary key,
    seq bigint generated always as identity unique,
    partner_id uuid not null references partners.organisations (id),
    version int not null,
    supersedes uuid references agreements.agreements (id),
    parent_id uuid references agreements.agreements (id),
    content jsonb not null,
    hash text not null,
    proposed_at timestamptz not null default clock_timestamp()
);
create index agreements_partner on agreements.agreements (partner_id, seq);
create index agreements_supersedes on agreements.agreements (supersedes) where supersedes is not null;

create table agreements.signatures (
    agreement_id uuid not null references agreements.agreements (id),
    signer text not null check (signer ~ '^[0-9]{8}$'),
    jws text not null,
    at timestamptz not null default clock_timestamp(),
    constraint signatures_once primary key (agreement_id, signer)
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
    kind text not null check (kind in ('reject', 'suspend', 'resume', 'notice', 'extend', 'revoke', 'exit', 'oversight', 'close')),
    user_id uuid references identity.users (id),
    signer text,                       -- the party whose signed statement it is, if it is one
    jws text,
    reason text,
    at timestamptz not null default clock_timestamp(),
    check ((signer is null) = (jws is null))
);
create index events_agreement on agreements.events (agreement_id, seq);

-- Being written; binds nobody.
create table agreements.drafts (
    id uuid primary key,
    title text not null,
    content jsonb not null,
    version int not null default 1,
    changed_by uuid references identity.users (id),
    changed_at timestamptz not null default clock_timestamp()
);

-- What stays open in an emergency; the newest that is signed holds.
create table agreements.emergency_lists (
    id uuid constraint emergency_lists_id_key primary key,
    seq bigint generated always as identity unique,
    content jsonb not null,
    hash text not null,
    jws text,
    proposed_at timestamptz not null default clock_timestamp()
);

create table agreements.emergency_confirmations (
    list_id uuid not null references agreements.emergency_lists (id),
    user_id uuid not null references identity.users (id),
    at timestamptz not null default clock_timestamp(),
    primary key (list_id, user_id)
);

-- How much of a limit is taken in a window of time: processes take it in blocks, so that no row is hot.
create table agreements.quotas (
    key text not null,
    kind text not null,
    seconds int not null,
    window_begins timestamptz not null,
    taken bigint not null,
    primary key (key, kind, seconds, window_begins)
);
create index quotas_window on agreements.quotas (window_begins);

create view agreements.v_agreements as select id, partner_id, version, content, hash from agreements.agreements;
