-- Requirement sets, the days on which they are demanded, and to whom they were put.
create table requirements.sets (
    hash text primary key,             -- SHA-256 over the canonical set, hex: its name everywhere
    seq bigint generated always as identity unique,
    capability text not null,
    major int not null,
    contract_version text not null,
    contract_hash text not null,
    profile jsonb not null,
    added_by uuid references identity.users (id),
    added_at timestamptz not null default clock_timestamp()
);
create index sets_by_capability on requirements.sets (capability collate "C", major, seq);
create trigger sets_keep before update or delete or truncate on requirements.sets
    for each statement execute function base.refuse_change();

-- What was decided about the day, in order: the last line of a set counts. Without a day it is not demanded.
create table requirements.days (
    seq bigint generated always as identity primary key,
    hash text not null references requirements.sets (hash),
    from_day date,
    user_id uuid references identity.users (id),
    at timestamptz not null default clock_timestamp()
);
create index days_of_set on requirements.days (hash, seq desc);
create trigger days_keep before update or delete or truncate on requirements.days
    for each statement execute function base.refuse_change();

create table requirements.proposals (
    id uuid primary key,
    hash text not null references requirements.sets (hash),
    partner_id uuid not null references partners.organisations (id),
    user_id uuid references identity.users (id),
    sent_at timestamptz not null default clock_timestamp(),
    constraint proposals_once unique (hash, partner_id)
);

create view requirements.v_sets as
select s.hash, s.seq, s.capability, s.major, s.contract_version, s.contract_hash, s.profile, s.added_at, d.from_day, d.seq as day_seq
from requirements.sets s
left join lateral (select from_day, seq from requirements.days where hash = s.hash order by seq desc limit 1) d on true;
