-- name: insert_module
-- Registers a partner's program.
insert into modules.modules (id, partner_id, name) values (:id, :partner_id, :name) returning id, partner_id, name;

-- name: insert_release
-- Registers a release.
insert into modules.releases (id, module_id, version, url, jwk) values (:id, :module_id, :version, :url, :jwk);

-- name: release_by_id
-- A release with its module and partner.
select r.id, r.module_id, o.survivor_id as partner_id, m.name as module_name, r.version, r.url, r.jwk
from modules.releases r join modules.modules m on m.id = r.module_id join partners.v_organisations o on o.id = m.partner_id where r.id = :id;

-- name: all_releases
-- Every release with its module and partner.
select r.id, r.module_id, o.survivor_id as partner_id, m.name as module_name, r.version, r.url, r.jwk
from modules.releases r join modules.modules m on m.id = r.module_id join partners.v_organisations o on o.id = m.partner_id;

-- name: all_bindings
-- Which release provides each capability, and which gets a copy of safe calls.
select capability, release_id, epoch, shadow_release_id from modules.bindings;

-- name: bindings_with_names
-- Which release provides each capability beyond :after, with names for people.
select b.capability, b.release_id, m.name as module_name, r.version as release_version, o.name as partner_name, b.epoch, b.changed_at
from modules.bindings b join modules.releases r on r.id = b.release_id join modules.modules m on m.id = r.module_id
join partners.v_organisations o on o.id = m.partner_id
where b.capability collate "C" > :after::text order by b.capability collate "C" limit :size;

-- name: binding_with_names
-- Which release provides a capability, with names for people.
select b.capability, b.release_id, m.name as module_name, r.version as release_version, o.name as partner_name, b.epoch, b.changed_at
from modules.bindings b join modules.releases r on r.id = b.release_id join modules.modules m on m.id = r.module_id
join partners.v_organisations o on o.id = m.partner_id where b.capability = :capability;

-- name: set_binding
-- Binds a capability to a release.
insert into modules.bindings (capability, release_id, epoch) values (:capability, :release_id, :epoch)
on conflict (capability) do update set release_id = excluded.release_id, epoch = excluded.epoch, shadow_release_id = null, changed_at = clock_timestamp();

-- name: is_bound
-- Whether a capability is bound.
select exists (select from modules.bindings where capability = :capability);

-- name: release_in_service
-- The release that provides a capability.
select release_id from modules.bindings where capability = :capability;

-- name: has_contract
-- Whether any contract describes the capability.
select exists (select from modules.contracts where capability = :capability);

-- name: set_shadow
-- Sets which release gets a copy of safe calls; null for none.
update modules.bindings set shadow_release_id = :release_id where capability = :capability;

-- name: upsert_contract
-- Stores a contract, or a newer minor version of it.
insert into modules.contracts (capability, major, version, operations, hash) values (:capability, :major, :version, :operations, :hash)
on conflict (capability, major) do update set version = excluded.version, operations = excluded.operations, hash = excluded.hash;

-- name: all_contracts
-- The operations of every contract.
select capability, major, operations from modules.contracts;

-- name: insert_assertion
-- Notes that an assertion was used.
insert into modules.assertions (release_id, jti, expires_at) values (:release_id, :jti, :expires_at);

-- name: forget_assertions
-- Forgets assertions that expired more than an hour ago.
delete from modules.assertions where expires_at < clock_timestamp() - interval '1 hour';
