-- name: insert_set
-- Keeps a requirement set, unless it is here already.
insert into requirements.sets (hash, capability, major, contract_version, contract_hash, profile, added_by)
values (:hash, :capability, :major, :contract_version, :contract_hash, :profile, :user_id) on conflict (hash) do nothing;

-- name: set_by_hash
-- A requirement set.
select hash, capability, major, contract_version, contract_hash, profile -> 'title' ->> 'da' as title, from_day, added_at, profile
from requirements.v_sets where hash = :hash;

-- name: sets_by_capability
-- Requirement sets by capability beyond (:after_capability, :after_seq), oldest first.
select seq, hash, capability, major, contract_version, contract_hash, profile -> 'title' ->> 'da' as title, from_day, added_at, profile
from requirements.v_sets
where (:capability::text is null or capability = :capability)
    and (capability collate "C", seq) > (:after_capability::text, :after_seq::bigint)
order by capability collate "C", seq limit :size;

-- name: sets_in_force
-- The sets that are demanded of a capability on a day: of each major version, the one whose day came last.
select distinct on (major) hash, capability, major, contract_version, contract_hash, profile -> 'title' ->> 'da' as title, from_day, added_at,
    profile
from requirements.v_sets where capability = :capability and from_day <= :day::date order by major, from_day desc, day_seq desc;

-- name: insert_day
-- Notes the day from which a set is demanded, unless that is what was decided last.
insert into requirements.days (hash, from_day, user_id)
select :hash::text, :from_day::date, :user_id::uuid
where not exists (select from requirements.v_sets where hash = :hash and day_seq is not null and from_day is not distinct from :from_day::date);

-- name: insert_proposal
-- Puts a set to a partner, once.
insert into requirements.proposals (id, hash, partner_id, user_id) values (:id, :hash, :partner_id, :user_id)
on conflict on constraint proposals_once do nothing;

-- name: proposals_in_order
-- Proposals before (:before, :before_id), the last first; with a partner, only those put to it.
select p.id, o.survivor_id as partner_id, o.name as partner_name, s.hash as requirement_set, s.capability, s.major, s.contract_version,
    s.contract_hash, s.profile -> 'title' ->> 'da' as title, s.from_day, p.sent_at, s.profile
from requirements.proposals p join requirements.v_sets s on s.hash = p.hash join partners.v_organisations o on o.id = p.partner_id
where (:partner_id::uuid is null or o.survivor_id = :partner_id) and (p.sent_at, p.id) < (:before::timestamptz, :before_id::uuid)
order by p.sent_at desc, p.id desc limit :size;

-- name: proposals_of_set
-- To which partners a set was put, the first first.
select id, partner_id from requirements.proposals where hash = :hash order by sent_at, id;

-- name: partners_of_proposal
-- The partners a set was put to.
select o.name from requirements.proposals p join partners.v_organisations o on o.id = p.partner_id where p.hash = :hash order by o.name;

-- name: providers
-- The releases that provide a capability or could, by module and version; with a release only that one.
select r.id as release_id, r.module_name, r.version as release_version, o.survivor_id as partner_id, o.name as partner_name
from modules.v_providers p join modules.v_releases r on r.id = p.release_id join partners.v_organisations o on o.id = r.partner_id
where p.capability = :capability and (:release_id::uuid is null or r.id = :release_id)
order by r.module_name, r.version, r.id;

-- name: release
-- A release with its partner.
select r.id as release_id, r.module_name, r.version as release_version, o.survivor_id as partner_id, o.name as partner_name
from modules.v_releases r join partners.v_organisations o on o.id = r.partner_id where r.id = :release_id;

-- name: pairs
-- Each set with each release that provides its capability or could, beyond (capability, seq, release); a partner's own, if one is given.
select s.seq, s.hash, s.capability, r.id as release_id, r.module_name, r.version as release_version, o.survivor_id as partner_id,
    o.name as partner_name
from requirements.sets s join modules.v_providers p on p.capability = s.capability
join modules.v_releases r on r.id = p.release_id join partners.v_organisations o on o.id = r.partner_id
where (:capability::text is null or s.capability = :capability) and (:partner_id::uuid is null or o.survivor_id = :partner_id)
    and (s.capability collate "C", s.seq, r.id) > (:after_capability::text, :after_seq::bigint, :after_id::uuid)
order by s.capability collate "C", s.seq, r.id limit :size;

-- name: newest_certification
-- What came of certifying a release for a set when that was last done.
select id, release_id, capability, major, contract_hash, requirement_set, level, certifier, kid, began_at, received_at, expires_at, demands
from modules.v_certifications where release_id = :release_id and requirement_set = :hash order by began_at desc, received_at desc limit 1;

-- name: nearest_certification
-- What came of certifying a release against a version of the contract when that was last done, for whichever set.
select id, release_id, capability, major, contract_hash, requirement_set, level, certifier, kid, began_at, received_at, expires_at, demands
from modules.v_certifications
where release_id = :release_id and capability = :capability and major = :major and contract_hash = :contract_hash
order by began_at desc, received_at desc limit 1;

-- name: release_at
-- The release that provides a capability in a unit: by the binding nearest above it; without a unit, the municipality's.
select release_id from modules.v_bindings where key = records.key_of(:capability, :unit_id::uuid, :day);

-- name: sets_that_add
-- The sets that add operations or fields to their contract, the newest first.
select hash, capability, major, contract_version, contract_hash, profile -> 'title' ->> 'da' as title, from_day, added_at, profile
from requirements.v_sets where profile ? 'operations' or profile ? 'fields' order by seq desc;

-- name: newest_for_sets
-- What came of certifying each release for each of some sets when that was last done.
select distinct on (requirement_set, release_id) id, release_id, capability, major, contract_hash, requirement_set, level, certifier, kid,
    began_at, received_at, expires_at, demands
from modules.v_certifications where requirement_set = any(:hashes::text[])
order by requirement_set, release_id, began_at desc, received_at desc;
