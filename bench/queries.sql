-- name: log_all
-- Makes the server log every statement.
alter system set log_statement = 'all';

-- name: log_none
-- Ends that.
alter system reset log_statement;

-- name: reload
-- Makes the server read its settings anew.
select pg_reload_conf();


-- name: make_words
-- A place for the words that people are put together from.
create temporary table words (kind text, place int, text text, sort text collate "C", search text collate "C", primary key (kind, place)) on commit drop;

-- name: insert_words
-- Notes the words; one that is frequent stands in many places.
insert into words select kind, place, text, sort, search
from jsonb_to_recordset(:words::jsonb) as e (kind text, place int, text text, sort text, search text);

-- name: insert_crowd
-- Puts people together: 100 birth years, two first names for some, one protected address in a hundred.
insert into persons.persons (id, cpr, sex, birth_date, given_names, family_name, address, hides_address, hides_name,
    civil_status, status, name_sort, name_search, address_search, refresh_on)
select uuidv7(), c.cpr, c.sex, c.born, g.text || coalesce(' ' || m.text, ''), f.text,
       s.text || ' ' || c.house || ', 8990 Fjordby', c.hides_address, c.hides_name, 'unmarried', 'resident',
       f.sort || ' ' || g.sort || coalesce(' ' || m.sort, ''), g.search || coalesce(' ' || m.search, '') || ' ' || f.search,
       s.search || ' ' || c.house || ' 8990 fjordby', c.refresh_on
from (
    select to_char(born, 'DDMMYY') || lpad((case when born < '2000-01-01' then 0 else 4000 end + 2 * serial + odd)::text, 4, '0') as cpr,
           case odd when 1 then 'M' else 'K' end as sex, born, floor(random() * 10000)::int as given,
           case when random() < 0.4 then floor(random() * 10000)::int end as middle,
           floor(random() * 10000)::int as family, floor(random() * :streets::int)::int as street,
           1 + floor(random() * 150)::int as house, random() < 0.01 as hides_address, random() < 0.002 as hides_name,
           case when random() < 0.01 then current_date + 1 + floor(random() * 300)::int end as refresh_on
    from (select date '1926-01-01' + number % 36500 as born, number / 36500 as serial, floor(random() * 2)::int as odd
          from generate_series(0, :persons::int - 1) as number) as made
) as c
join words g on g.kind = c.sex and g.place = c.given
left join words m on m.kind = c.sex and m.place = c.middle
join words f on f.kind = 'family' and f.place = c.family
join words s on s.kind = 'street' and s.place = c.street
where not exists (select from persons.numbers n where n.cpr = c.cpr);

-- name: borne_words
-- The words of every name and address, each once.
select distinct 'name' as kind, word from persons.persons, string_to_table(name_search, ' ') as word
union all select distinct 'address', word from persons.persons, string_to_table(address_search, ' ') as word where word !~ '[0-9]';

-- name: insert_crowd_numbers
-- Gives those who have none in the list of numbers theirs.
insert into persons.numbers (cpr, person_id)
select cpr, id from persons.persons p where cpr is not null and not exists (select from persons.numbers n where n.cpr = p.cpr);

-- name: indexes_made
-- What makes the indexes of persons that no constraint has made.
select string_agg(indexdef, '; ') from pg_indexes
where schemaname = 'persons' and tablename = 'persons' and indexname not in (select conname from pg_constraint);

-- name: indexes_dropped
-- What drops them.
select 'drop index ' || string_agg('persons.' || indexname, ', ') from pg_indexes
where schemaname = 'persons' and tablename = 'persons' and indexname not in (select conname from pg_constraint);

-- name: sample_persons
-- Some persons by chance.
select id, cpr from persons.persons where merged_into is null and cpr is not null order by random() limit :size;

-- name: count_persons
-- How many there are.
select count(*) from persons.persons;

-- name: is_known
-- Whether a search by name finds anybody.
select exists (select from persons.persons where array_to_tsvector(string_to_array(name_search, ' ')) @@ :name::tsquery);

-- name: plans_taken
-- How often a prepared statement had a plan for its values, and one for any.
select custom_plans, generic_plans from pg_prepared_statements where name = :name;

-- name: fill_trail
-- Many entries such as a day's work makes: people and programs who read one citizen, some with a detail.
insert into base.trail (id, at, request_id, kind, user_id, release_id, agreement_id, grant_id, category, operation, purpose, subjects, result, detail)
select gen_random_uuid(), clock_timestamp(), gen_random_uuid(), 'read',
    case when n % 3 > 0 then lpad((n % 400)::text, 32, '0')::uuid end, case when n % 3 = 0 then lpad((n % 7)::text, 32, '0')::uuid end,
    case when n % 3 = 0 then lpad((n % 5)::text, 32, '0')::uuid end, case when n % 3 = 0 then '2-persons' end, 'person', 'persons.read',
    case when n % 3 = 0 then 'Hjælp efter serviceloven § 83' else 'role:Sagsbehandler' end, array[lpad((n % 50000)::text, 32, '0')::uuid],
    'permitted', case when n % 4 = 0 then jsonb_build_object('relations', n % 5) end
from generate_series(1, :count::int) n;

-- name: add_organisations
-- Suppliers, as many as ids.
insert into partners.organisations (id, cvr, country, name, sort_key, kind, contacts, survivor_id)
select id, lpad(place::text, 8, '0'), 'DK', 'Leverandør ' || place, 'leverandoer ' || place, 'organisation', '[]', id
from unnest(:ids::uuid[]) with ordinality as given (id, place);

-- name: add_agreements
-- Agreements in their order, each signed by both parties; `agreements` holds id, partner and content.
with added as (
    insert into agreements.agreements (id, partner_id, version, content, hash)
    select (each ->> 'id')::uuid, (each ->> 'partner_id')::uuid, 1, each -> 'content', '' from jsonb_array_elements(:agreements::jsonb) as each
    returning id, content
)
insert into agreements.signatures (agreement_id, signer, jws)
select id, signer, '' from added, lateral (values (content ->> 'municipality'), (content ->> 'partner')) as both_of (signer);

-- name: add_agreement_event
-- Suspends or resumes, as the municipality does.
insert into agreements.events (agreement_id, kind) values (:id, :kind);

-- name: tell_events
-- Some events about one subject, as a module that provides the capability tells them.
insert into events.events (id, type, capability, subject, category, data)
select gen_random_uuid(), :type, :capability, :subject, 'meters', jsonb_build_object('value', n) from generate_series(1, :count::int) as n;

-- name: fill_calls
-- Outcomes of calls, spread evenly over a time, each with a time of its own; one in 997 fails.
insert into base.trail (id, at, kind, operation, subjects, result, call_id, detail)
select gen_random_uuid(), :begins::timestamptz + make_interval(secs => n::float8 * :seconds::int / :of::int), 'outcome',
    case when n % 6 = 0 then 'notes.write_note' else 'notes.list_notes' end, '{}',
    case when n % 997 = 0 then 'module_timeout' else 'permitted' end, gen_random_uuid(),
    jsonb_build_object('release', '01900000-0000-7000-8000-000000000009', 'agreement', :agreement::text, 'epoch', 1, 'hold_us', 0,
        'module_us', 40000 + (n::bigint * 7919) % 400000, 'torv_us', 2000 + n % 500)
    || case when n % 997 = 0 then '{}'::jsonb else '{"status": 200, "bytes": 512}'::jsonb end
from generate_series(:first::int, :first::int + :count::int - 1) n;

-- name: size_of_minutes
-- What calls were gathered into.
select count(*) as rows, pg_total_relation_size('service_levels.minutes') as bytes from service_levels.minutes;
