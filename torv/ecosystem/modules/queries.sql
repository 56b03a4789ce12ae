-- name: insert_module
-- Registers a partner's program.
insert into modules.modules (id, partner_id, name) values (:id, :partner_id, :name) returning id, partner_id, name;

-- name: insert_release
-- Registers a release.
insert into modules.releases (id, module_id, version, url, jwk, majors) values (:id, :module_id, :version, :url, :jwk, :majors);

-- name: release_by_id
-- A release with its module and partner.
select r.id, r.module_id, o.survivor_id as partner_id, m.name as module_name, r.version, r.url, r.jwk, r.majors
from modules.releases r join modules.modules m on m.id = r.module_id join partners.v_organisations o on o.id = m.partner_id where r.id = :id;

-- name: all_releases
-- Every release, retired ones apart, with its module and partner.
select r.id, r.module_id, o.survivor_id as partner_id, m.name as module_name, r.version, r.url, r.jwk, r.majors
from modules.releases r join modules.modules m on m.id = r.module_id join partners.v_organisations o on o.id = m.partner_id
where r.state = 'registered' or exists (select from modules.bindings b where r.id in (b.release_id, b.shadow_release_id));

-- name: release_of_client
-- A release that may identify itself, with its module and partner.
select r.id, r.module_id, o.survivor_id as partner_id, m.name as module_name, r.version, r.url, r.jwk, r.majors
from modules.releases r join modules.modules m on m.id = r.module_id join partners.v_organisations o on o.id = m.partner_id
where r.id = :id and r.state = 'registered';

-- name: lock_registration
-- Lets one registration of a partner at a time through, until the transaction ends.
select pg_advisory_xact_lock(hashtextextended('registration ' || :partner_id::uuid::text, 0));

-- name: registered_in_a_day
-- How many releases a partner has registered within a day.
select count(*) from modules.releases r join modules.modules m on m.id = r.module_id
where m.partner_id = :partner_id and r.registered_at > clock_timestamp() - interval '1 day';

-- name: ensure_module
-- The id of a partner's module of this name, registered now if it is not yet.
with present as (select id from modules.modules where partner_id = :partner_id and name = :name),
     added as (insert into modules.modules (id, partner_id, name)
               select :id, :partner_id, :name where not exists (select from present) returning id)
select id from present union all select id from added;

-- name: insert_release_with_manifest
-- Registers a release as its manifest says.
insert into modules.releases (id, module_id, version, url, jwk, majors, manifest, manifest_hash)
values (:id, :module_id, :version, :url, :jwk, :majors, :manifest, :manifest_hash);

-- name: complete_release
-- Gives a release its manifest that was registered without one.
update modules.releases set majors = :majors, manifest = :manifest, manifest_hash = :manifest_hash where id = :id and manifest is null;

-- name: insert_components
-- Keeps what a release is made of.
insert into modules.components (release_id, number, name, version, search_name, version_key, license, purl)
select :release_id::uuid, c.number, c.name, c.version, c.search_name, c.version_key, c.license, c.purl
from jsonb_to_recordset(:components::jsonb)
    as c (number int, name text, version text, search_name text, version_key text, license text, purl text);

-- name: insert_locations
-- Keeps where a release runs.
insert into modules.locations (release_id, number, country, provider, role, place, data)
select :release_id::uuid, l.number, l.country, l.provider, l.role, l.place, l.data
from jsonb_to_recordset(:locations::jsonb)
    as l (number int, country text, provider text, role text, place text, data jsonb);

-- name: release_of_manifest
-- The release of a partner's module with this version.
select r.id, r.module_id, m.name as module_name, o.survivor_id as partner_id, o.name as partner_name, r.version, r.url, r.jwk, r.majors, r.state,
    r.registered_at, r.retired_at, r.manifest, r.manifest_hash,
    array(select distinct b.capability from modules.bindings b where b.release_id = r.id order by b.capability) as in_service
from modules.releases r join modules.modules m on m.id = r.module_id join partners.v_organisations o on o.id = m.partner_id
where m.partner_id = :partner_id and m.name = :name and r.version = :version;

-- name: registered_release
-- A release with its manifest.
select r.id, r.module_id, m.name as module_name, o.survivor_id as partner_id, o.name as partner_name, r.version, r.url, r.jwk, r.majors, r.state,
    r.registered_at, r.retired_at, r.manifest, r.manifest_hash,
    array(select distinct b.capability from modules.bindings b where b.release_id = r.id order by b.capability) as in_service
from modules.releases r join modules.modules m on m.id = r.module_id join partners.v_organisations o on o.id = m.partner_id where r.id = :id;

-- name: listed_modules
-- The modules beyond (:name, :after), or one of them; with a party, only that partner's.
select m.id, m.name, o.survivor_id as partner_id, o.name as partner_name,
    (select count(*) from modules.releases r where r.module_id = m.id and r.state = 'registered') as releases,
    (select r.version from modules.releases r where r.module_id = m.id order by r.registered_at desc, r.id desc limit 1) as newest_version
from modules.modules m join partners.v_organisations o on o.id = m.partner_id
where (m.name collate "C", m.id) > (:name::text, :after::uuid) and (:party::uuid is null or o.survivor_id = :party)
    and (:id::uuid is null or m.id = :id)
order by m.name collate "C", m.id limit :size;

-- name: listed_releases
-- A module's releases beyond one, the newest first (their ids are in the order in which they were registered).
select r.id, r.version, r.state, r.registered_at, r.retired_at, r.majors,
    array(select distinct b.capability from modules.bindings b where b.release_id = r.id order by b.capability) as in_service
from modules.releases r where r.module_id = :module_id and (:after::uuid is null or r.id < :after) order by r.id desc limit :size;

-- name: is_in_use
-- Whether a release provides a capability, is tried out, or stands by.
select exists (select from modules.bindings where :id::uuid in (release_id, shadow_release_id, standby_release_id));

-- name: retire_release
-- Takes a release out of use.
update modules.releases set state = 'retired', retired_at = clock_timestamp() where id = :id and state = 'registered';

-- name: lock_release
-- Waits until nobody binds a release, and keeps others from it until the transaction ends.
select id from modules.releases where id = :id for update;

-- name: promise_of_release
-- What a release says that it provides; it is not retired until the transaction ends.
select state, manifest from modules.releases where id = :id for share;

-- name: in_force
-- The versions of a capability's contract that are in force.
select major, version from modules.contracts where capability = :capability order by major;

-- name: categories_of
-- The data categories that the operations of each of a capability's contracts are about.
select distinct c.major, o.plain ->> 'category' as category
from modules.contracts c cross join jsonb_array_elements(c.content -> 'operations') as o (plain) where c.capability = :capability;

-- name: found_components
-- Components of a name or purl, in versions below one, beyond (:after, :after_number); with a party, only that partner's.
select c.release_id, c.number, m.name as module_name, r.version as release_version, o.name as partner_name, c.name, c.version, c.license, c.purl,
    array(select distinct b.capability from modules.bindings b where b.release_id = r.id order by b.capability) as in_service
from modules.components c join modules.releases r on r.id = c.release_id join modules.modules m on m.id = r.module_id
join partners.v_organisations o on o.id = m.partner_id
where r.state = 'registered' and (:party::uuid is null or o.survivor_id = :party)
    and (c.search_name = :search_name::text or (:purl::text is not null and starts_with(c.purl, :purl)))
    and (:below::text is null or c.version_key < :below collate "C")
    and (c.release_id, c.number) > (:after::uuid, :after_number::int)
order by c.release_id, c.number limit :size;

-- name: found_locations
-- Where releases run, beyond (:after, :after_number); in a country, with a category of data, of a party.
select l.release_id, l.number, m.name as module_name, r.version as release_version, o.name as partner_name, l.country, l.provider, l.role, l.place,
    l.data, array(select distinct b.capability from modules.bindings b where b.release_id = r.id order by b.capability) as in_service
from modules.locations l join modules.releases r on r.id = l.release_id join modules.modules m on m.id = r.module_id
join partners.v_organisations o on o.id = m.partner_id
where r.state = 'registered' and (:party::uuid is null or o.survivor_id = :party)
    and (:country::text is null or l.country = :country) and (:category::text is null or l.data ? :category)
    and (l.release_id, l.number) > (:after::uuid, :after_number::int)
order by l.release_id, l.number limit :size;

-- name: all_bindings
-- Which release provides each capability where, and which gets a copy of safe calls.
select key, capability, unit_id, release_id, epoch, shadow_release_id, shadow_may_differ from modules.bindings;

-- name: bindings_with_names
-- Which release provides what beyond the key :after, with names for people; with :only, what that binding says.
select b.key, b.capability, b.unit_id, organisation.name_of(b.unit_id, :day) as unit_name, b.release_id, m.name as module_name,
    r.version as release_version, o.name as partner_name, b.epoch, b.changed_at,
    h.state, h.since, h.checked_at, h.lag, l.calls, l.resting_in, l.processes
from modules.bindings b cross join lateral (
    select coalesce(sum((in_flight ->> b.key)::int), 0)::int as calls, count(*)::int as processes,
        count(*) filter (where b.release_id = any (resting))::int as resting_in
    from base.v_leases where kind = 'api' and renewed_at > clock_timestamp() - interval '1.5 seconds') l
join modules.releases r on r.id = b.release_id join modules.modules m on m.id = r.module_id
join partners.v_organisations o on o.id = m.partner_id left join modules.health h on h.release_id = b.release_id
where b.key collate "C" > :after::text and (:only::text is null or b.key = :only) order by b.key collate "C" limit :size;

-- name: releases_beside
-- The releases that are tried out for a capability or stand by, with names for people.
select b.key, x.role, x.release_id, m.name as module_name, r.version as release_version, o.name as partner_name,
    h.state, h.since, h.checked_at, h.lag
from modules.bindings b cross join lateral (values ('shadow', b.shadow_release_id), ('standby', b.standby_release_id)) as x (role, release_id)
join modules.releases r on r.id = x.release_id join modules.modules m on m.id = r.module_id
join partners.v_organisations o on o.id = m.partner_id left join modules.health h on h.release_id = r.id
where b.key = any(:keys::text[]) order by b.key, x.role;

-- name: watched_releases
-- The releases that provide something, are tried out or stand by.
select r.id, r.module_id, o.survivor_id as partner_id, m.name as module_name, r.version, r.url, r.jwk, r.majors
from modules.releases r join modules.modules m on m.id = r.module_id join partners.v_organisations o on o.id = m.partner_id
where exists (select from modules.bindings b where r.id in (b.release_id, b.shadow_release_id, b.standby_release_id));

-- name: feed_position
-- How far the feed of records has come.
select coalesce((select position from base.v_streams where name = 'records'), 0);

-- name: known_health
-- How the releases in use were.
select release_id, state from modules.health;

-- name: set_health
-- How a release is now; it has been so since its state changed.
insert into modules.health (release_id, state, since, checked_at, lag)
values (:release_id, :state, clock_timestamp(), clock_timestamp(), :lag)
on conflict (release_id) do update set state = excluded.state, checked_at = excluded.checked_at, lag = excluded.lag,
    since = case when health.state = excluded.state then health.since else excluded.since end;

-- name: forget_health
-- Forgets how releases were that are in use no longer.
delete from modules.health where release_id <> all(:release_ids::uuid[]);

-- name: set_binding
-- Binds a capability to a release.
insert into modules.bindings (key, capability, unit_id, release_id, epoch) values (:key, :capability, :unit_id, :release_id, :epoch)
on conflict (key) do update set release_id = excluded.release_id, epoch = excluded.epoch, shadow_release_id = null,
    standby_release_id = bindings.release_id, changed_at = clock_timestamp();

-- name: split_binding
-- Gives a unit a binding of its own, to the release that is bound there.
insert into modules.bindings (key, capability, unit_id, release_id, epoch) values (:key, :capability, :unit_id, :release_id, :epoch);

-- name: dissolve_binding
-- Takes a unit's binding away.
delete from modules.bindings where key = :key;

-- name: end_standby
-- Nobody stands by any more.
update modules.bindings set standby_release_id = null where key = :key;

-- name: is_bound
-- Whether a capability is bound.
select exists (select from modules.bindings where key = :key);

-- name: release_in_service
-- The release that provides a capability somewhere.
select release_id from modules.bindings where key = :key;

-- name: is_providing
-- Whether a partner's module is bound to a capability by another binding than one.
select exists (
    select from modules.bindings b join modules.releases r on r.id = b.release_id join modules.modules m on m.id = r.module_id
    join partners.v_organisations o on o.id = m.partner_id
    where b.capability = :capability and b.key <> :but and o.survivor_id = :partner_id and m.name = :name);

-- name: has_contract
-- Whether any contract describes the capability.
select exists (select from modules.contracts where capability = :capability);

-- name: set_shadow
-- Sets which release gets a copy of safe calls, and where its answers may differ; null for none.
update modules.bindings set shadow_release_id = :release_id, shadow_may_differ = :may_differ where key = :key;

-- name: lock_contracts
-- Waits until nobody adds a contract of the capability, and keeps others from it until the transaction ends.
select pg_advisory_xact_lock(hashtextextended('contract ' || :capability::text, 0));

-- name: contents_of
-- What is in force of a capability: the content of each major version.
select content, openapi from modules.contracts where capability = :capability order by major;

-- name: upsert_contract
-- Puts a version of a contract into force, and keeps it among those that have been.
with current as (
    insert into modules.contracts (capability, major, version, content, hash, openapi)
    values (:capability, :major, :version, :content, :hash, :openapi)
    on conflict (capability, major) do update set version = excluded.version, content = excluded.content, hash = excluded.hash,
        openapi = excluded.openapi, added_at = clock_timestamp()
    returning capability, major, version, content, hash, openapi, added_at)
insert into modules.contract_versions (capability, major, version, content, hash, openapi, added_at)
select capability, major, version, content, hash, openapi, added_at from current
on conflict (capability, major, version) do update set openapi = excluded.openapi;

-- name: contract_in_force
-- A contract in force with everything in it.
select content, openapi from modules.contracts where capability = :capability and major = :major;

-- name: kept_contract
-- A contract as a list shows it.
select capability, major, version, content -> 'title' ->> 'da' as title, hash, added_at
from modules.contracts where capability = :capability and major = :major;

-- name: kept_contracts
-- The contracts beyond (:after_capability, :after_major), as a list shows them.
select capability, major, version, content -> 'title' ->> 'da' as title, hash, added_at from modules.contracts
where (capability collate "C", major) > (:after_capability::text, :after_major::int) order by capability collate "C", major limit :size;

-- name: all_contracts
-- The operations of every contract, and where its pages begin.
select capability, major, content -> 'operations' as operations, content -> 'launch' as launch from modules.contracts;

-- name: all_events
-- The events that every contract declares; one without a category has that of the contract's first operation.
select c.capability, c.major, e.plain ->> 'type' as name, coalesce(e.plain ->> 'category', c.content -> 'operations' -> 0 ->> 'category') as category,
       e.plain -> 'schema' as schema
from modules.contracts c cross join jsonb_array_elements(coalesce(c.content -> 'events', '[]')) as e (plain)
where :capability::text is null or c.capability = :capability order by c.capability collate "C", c.major, (e.plain ->> 'type') collate "C";

-- name: titles
-- What capabilities are called: the titles of the highest major version of each.
select distinct on (capability) capability, content -> 'title' as title from modules.contracts order by capability, major desc;

-- name: insert_assertion
-- Notes that an assertion was used.
insert into modules.assertions (release_id, jti, expires_at) values (:release_id, :jti, :expires_at);

-- name: forget_assertions
-- Forgets assertions that expired more than an hour ago.
delete from modules.assertions where expires_at < clock_timestamp() - interval '1 hour';

-- name: months_of_certification
-- For how many months a certification counts that was made on a day.
select months from modules.certification_terms where from_day <= :day order by from_day desc limit 1;

-- name: is_version
-- Whether a contract has or had a version with this hash.
select exists (
    select from modules.contract_versions where capability = :capability and major = :major and hash = :hash);

-- name: contract_version
-- The content of a version of a contract, by its number.
select content, openapi from modules.contract_versions where capability = :capability and major = :major and version = :version;

-- name: insert_certification
-- Keeps a report, unless it is here already.
insert into modules.certifications (id, release_id, capability, major, contract_hash, requirement_set, level, certifier, kid, began_at,
    expires_at, demands, report, signature, hash)
values (:id, :release_id, :capability, :major, :contract_hash, :requirement_set, :level, :certifier, :kid, :began_at,
    :expires_at, :demands, :report, :signature, :hash)
on conflict on constraint certifications_once do nothing;

-- name: certification_by_hash
-- A certification by the hash of its report.
select id, release_id, capability, major, contract_hash, requirement_set, level, certifier, kid, began_at, received_at, expires_at, demands
from modules.certifications where release_id = :release_id and hash = :hash;

-- name: certifications_of_release
-- A release's certifications before (:before, :before_id), the newest first; with a partner, only of its own releases.
select c.id, c.release_id, c.capability, c.major, c.contract_hash, c.requirement_set, c.level, c.certifier, c.kid, c.began_at, c.received_at,
    c.expires_at, c.demands
from modules.certifications c join modules.releases r on r.id = c.release_id join modules.modules m on m.id = r.module_id
join partners.v_organisations o on o.id = m.partner_id
where c.release_id = :release_id and (:partner_id::uuid is null or o.survivor_id = :partner_id)
    and (c.began_at, c.id) < (:before::timestamptz, :before_id::uuid)
order by c.began_at desc, c.id desc limit :size;
