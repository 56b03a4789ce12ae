-- Moves and their steps.
create table moves.moves (
    id uuid primary key,
    capability text not null,
    unit_id uuid references organisation.units (id), -- the move is of this unit's binding; null: of the municipality's
    from_release uuid not null references modules.releases (id),
    to_release uuid not null references modules.releases (id),
    reverses uuid references moves.moves (id),
    state text not null,
    planned_at timestamptz not null default clock_timestamp(),
    shadowing_at timestamptz,
    frozen_at timestamptz,
    moved_at timestamptz,
    epoch bigint,
    receipt text
);
create unique index moves_one_at_a_time on moves.moves (capability) where state in ('planned', 'preflight', 'hydrating', 'shadowing', 'freezing', 'moved');
create unique index moves_one_watched on moves.moves (capability, unit_id) nulls not distinct where state = 'watching';

create table moves.steps (
    seq bigint generated always as identity primary key,
    move_id uuid not null references moves.moves (id),
    state text not null,               -- the state entered, or what happened within it
    detail jsonb not null,
    at timestamptz not null default clock_timestamp()
);
create index steps_move on moves.steps (move_id, seq);

create view moves.v_moves as select id, capability, unit_id, state from moves.moves;
