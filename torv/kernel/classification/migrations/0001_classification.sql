-- Code lists in editions. A code is never deleted and a version never changed: what was known and what was true stay readable.
create extension if not exists pg_trgm;

create table classification.editions (
    id uuid primary key,
    code_list text not null,
    number int not null,
    published date not null,
    source text not null,              -- the name of the file
    levels text[] not null,            -- what it covers; codes of other levels are left alone
    digest bytea not null,
    imported_at timestamptz not null default clock_timestamp(),
    unique (code_list, number),
    unique (code_list, digest)
);

create table classification.entries (
    code_list text not null,
    code text collate "C" not null,
    level text not null,
    parent text collate "C",
    primary key (code_list, code),
    foreign key (code_list, parent) references classification.entries (code_list, code)
);

create table classification.versions (
    code_list text not null,
    code text collate "C" not null,
    edition int not null,              -- known since
    effective_from date not null,      -- when that edition was published
    title text not null,
    has_derived_title boolean not null,
    valid_from date,
    valid_to date,                     -- the first day on which it no longer holds
    official_id uuid,
    keywords jsonb not null,           -- [[text, weight], ...]
    sort_key text collate "C" not null,
    search_key text collate "C" not null,
    primary key (code_list, code, edition),
    foreign key (code_list, code) references classification.entries (code_list, code),
    foreign key (code_list, edition) references classification.editions (code_list, number)
);

-- Each code as an edition knew it (null: the newest) and as it was on a day (null: as it is).
create function classification.entries_at(wanted text, known_edition int, on_day date)
returns table (
    code text, level text, parent text, title text, has_derived_title boolean, valid_from date, valid_to date,
    official_id uuid, edition int, keywords jsonb, sort_key text, search_key text
) language sql stable as $$
    select distinct on (e.code) e.code, e.level, e.parent, v.title, v.has_derived_title, v.valid_from, v.valid_to,
           v.official_id, v.edition, v.keywords, v.sort_key, v.search_key
    from classification.entries e join classification.versions v on v.code_list = e.code_list and v.code = e.code
    where e.code_list = wanted and (known_edition is null or v.edition <= known_edition)
    order by e.code, (on_day is null or v.effective_from <= on_day) desc,
             case when on_day is null or v.effective_from <= on_day then -v.edition else v.edition end
$$;

create view classification.v_entries as
select l.code_list, e.code, e.level, e.parent, e.title, e.valid_from, e.valid_to
from (select distinct code_list from classification.editions) l, classification.entries_at(l.code_list, null, null) e;
