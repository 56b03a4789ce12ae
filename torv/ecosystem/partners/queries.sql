-- name: insert_partner
-- Registers an organisation; its first version is kept.
with added as (
    insert into partners.organisations (id, survivor_id, cvr, registration, country, name, sort_key, kind, contacts)
    values (:id, :id, :cvr, :registration, :country, :name, :sort_key, :kind, :contacts) returning *),
kept as (
    insert into partners.organisation_versions (partner_id, version, name, contacts, user_id)
    select id, version, name, contacts, :user_id::uuid from added)
select id, version, cvr, registration, country, name, kind, contacts from added;

-- name: change_partner
-- Gives an organisation other facts, if it is still as expected and still itself; every version is kept.
with changed as (
    update partners.organisations set name = :name, sort_key = :sort_key, contacts = :contacts, version = version + 1
    where id = :id and version = :expected and survivor_id = id returning *),
kept as (
    insert into partners.organisation_versions (partner_id, version, name, contacts, user_id)
    select id, version, name, contacts, :user_id::uuid from changed)
select id, version, cvr, registration, country, name, kind, contacts from changed;

-- name: merge_partner
-- Notes that an organisation is part of another one from now on.
with merged as (
    update partners.organisations
    set merged_into = :into, survivor_id = :into, merged_at = clock_timestamp(), version = version + 1
    where id = :id and version = :expected and survivor_id = id returning *)
insert into partners.organisation_versions (partner_id, version, name, contacts, merged_into, user_id)
select id, version, name, contacts, merged_into, :user_id::uuid from merged;

-- name: move_survivors
-- Lets those who had merged into an organisation before go along with it.
update partners.organisations set survivor_id = :into where survivor_id = :id and id <> :id;

-- name: lock_chains
-- Lets mergers and changes of the supply chain come one at a time, until the transaction ends.
select pg_advisory_xact_lock(hashtextextended('torv partners chains', 0));

-- name: partner_by_id
-- An organisation, or the one it is part of by now.
select s.id, s.version, s.cvr, s.registration, s.country, s.name, s.kind, s.contacts
from partners.organisations o join partners.organisations s on s.id = o.survivor_id where o.id = :id;

-- name: partner_by_cvr
-- The organisation with a CVR number, or the one it is part of by now.
select s.id, s.version, s.cvr, s.registration, s.country, s.name, s.kind, s.contacts
from partners.organisations o join partners.organisations s on s.id = o.survivor_id where o.cvr = :cvr;

-- name: municipality
-- Ourselves.
select id, version, cvr, registration, country, name, kind, contacts
from partners.organisations where kind = 'municipality';

-- name: partners_by_name
-- Organisations that are still themselves, by name.
select id, version, cvr, registration, country, name, kind, contacts from partners.organisations
where survivor_id = id and (sort_key, id) > (:after_name, :after_id) order by sort_key, id limit :size;

-- name: versions_of
-- Every version of an organisation, oldest first.
select version, name, contacts, merged_into, user_id, known_at
from partners.organisation_versions where partner_id = :id order by version;

-- name: end_codes
-- Ends what codes of a partner are still open.
update partners.codes set ended_at = clock_timestamp() where partner_id = :partner_id and used_at is null and ended_at is null;

-- name: insert_code
-- Keeps a one-time code, as a hash.
insert into partners.codes (id, partner_id, secret_hash, issued_by, expires_at)
values (:id, :partner_id, :secret_hash, :issued_by, clock_timestamp() + interval '48 hours') returning expires_at;

-- name: lock_code
-- A code that may still be used, kept for this transaction.
select c.id, c.partner_id, o.name as partner_name, c.secret_hash
from partners.codes c join partners.organisations o on o.id = c.partner_id
where c.id = :id and c.used_at is null and c.ended_at is null and c.expires_at > clock_timestamp() and c.failures < 5
for update of c;

-- name: use_code
-- Notes that a code was used.
update partners.codes set used_at = clock_timestamp() where id = :id;

-- name: count_failure
-- Notes that a code was tried with a wrong second part.
update partners.codes set failures = failures + 1 where id = :id;

-- name: lock_address
-- Lets attempts from one address come one at a time, until the transaction ends.
select pg_advisory_xact_lock(hashtextextended('torv enrolment ' || encode(:address_hash::bytea, 'hex'), 0));

-- name: attempts_of
-- How often an address has tried a code in the last quarter of an hour.
select count(*) from partners.attempts where address_hash = :address_hash and at > clock_timestamp() - interval '15 minutes';

-- name: insert_attempt
-- Notes that an address tries a code; attempts that no longer count are forgotten.
with forgotten as (delete from partners.attempts where at < clock_timestamp() - interval '15 minutes')
insert into partners.attempts (address_hash) values (:address_hash);

-- name: forget_attempts
-- Forgets the attempts of an address whose code was right.
delete from partners.attempts where address_hash = :address_hash;

-- name: insert_key
-- Keeps a key that waits for its confirmation.
insert into partners.keys (kid, partner_id, jwk, fingerprint) values (:kid, :partner_id, :jwk, :fingerprint);

-- name: confirm_key
-- Puts a key that waits for it into use, not before now.
update partners.keys
set confirmed_at = clock_timestamp(), confirmed_by = :user_id,
    valid_from = greatest(:valid_from::timestamptz, clock_timestamp()), valid_to = :valid_to
where kid = :kid and confirmed_at is null and ended_at is null;

-- name: end_key
-- Takes a key out of use at once.
update partners.keys set ended_at = clock_timestamp() where kid = :kid and ended_at is null;

-- name: end_keys
-- Takes every key of an organisation out of use at once.
update partners.keys set ended_at = clock_timestamp() where partner_id = :partner_id and ended_at is null;

-- name: keys_of
-- Every key an organisation has had, oldest first; with a kid only that one.
select kid, partner_id, jwk, fingerprint, enrolled_at, confirmed_at, confirmed_by, valid_from, valid_to, ended_at,
    case when ended_at is not null then 'ended' when confirmed_at is null then 'pending'
        when valid_to <= clock_timestamp() then 'expired' when valid_from > clock_timestamp() then 'waiting'
        else 'active' end as state
from partners.keys where partner_id = :partner_id and (:kid::text is null or kid = :kid) order by enrolled_at, kid;

-- name: keys_at
-- The keys that counted for an organisation at an instant (null: now): its own, or those of the one it had merged into by then.
with recursive instant as (select coalesce(:at::timestamptz, clock_timestamp()) as at),
owner as (
    select o.id, o.merged_into, o.merged_at from partners.organisations o where o.id = :partner_id
    union all
    select o.id, o.merged_into, o.merged_at
    from owner w cross join instant i join partners.organisations o on o.id = w.merged_into where w.merged_at <= i.at)
select k.kid, k.partner_id, k.jwk, k.fingerprint, k.enrolled_at, k.confirmed_at, k.confirmed_by, k.valid_from,
    k.valid_to, k.ended_at, 'active' as state
from partners.keys k cross join instant i
join owner w on w.id = k.partner_id and (w.merged_at is null or w.merged_at > i.at)
where k.confirmed_at is not null and k.valid_from <= i.at and (k.valid_to is null or i.at < k.valid_to)
    and (k.ended_at is null or i.at < k.ended_at)
order by k.enrolled_at, k.kid;

-- name: insert_link
-- Registers that one organisation works for another in providing a capability.
insert into partners.links (id, capability, supplier_id, sub_supplier_id, task, country, registered_by)
values (:id, :capability, :supplier_id, :sub_supplier_id, :task, :country, :user_id);

-- name: approve_link
-- Approves a link for a period.
update partners.links
set approved_at = clock_timestamp(), approved_by = :user_id, approved_from = :approved_from,
    approved_to = :approved_to, version = version + 1
where id = :id and approved_at is null and withdrawn_at is null;

-- name: withdraw_link
-- Takes a link back.
update partners.links set withdrawn_at = clock_timestamp(), withdrawn_by = :user_id, version = version + 1
where id = :id and withdrawn_at is null;

-- name: link_by_id
-- A link of the supply chain.
select l.id, l.version, l.capability, s.survivor_id as supplier_id, u.survivor_id as sub_supplier_id, l.task, l.country,
    l.registered_at, l.registered_by, l.approved_at, l.approved_by, l.approved_from, l.approved_to, l.withdrawn_at, l.withdrawn_by
from partners.links l join partners.organisations s on s.id = l.supplier_id join partners.organisations u on u.id = l.sub_supplier_id
where l.id = :id;

-- name: links_by_capability
-- Links of the supply chain, by capability; with a capability only its own.
select l.id, l.version, l.capability, s.survivor_id as supplier_id, u.survivor_id as sub_supplier_id, l.task, l.country,
    l.registered_at, l.registered_by, l.approved_at, l.approved_by, l.approved_from, l.approved_to, l.withdrawn_at, l.withdrawn_by
from partners.links l join partners.organisations s on s.id = l.supplier_id join partners.organisations u on u.id = l.sub_supplier_id
where (:capability::text is null or l.capability = :capability) and (l.capability collate "C", l.id) > (:after_capability, :after_id)
order by l.capability collate "C", l.id limit :size;

-- name: links_of_families
-- The supply chain as decisions need it: each link between all ids of either side, the survivor's and those merged into it.
select l.capability, sf.id as supplier_id, uf.id as sub_supplier_id, l.country, l.approved_from, l.approved_to,
    l.withdrawn_at is not null as is_withdrawn, l.approved_at is not null as is_approved
from partners.links l
join partners.organisations s on s.id = l.supplier_id join partners.organisations sf on sf.survivor_id = s.survivor_id
join partners.organisations u on u.id = l.sub_supplier_id join partners.organisations uf on uf.survivor_id = u.survivor_id
order by l.id, sf.id, uf.id;

-- name: open_links
-- Links that are not withdrawn, between the organisations as they are by now.
select l.capability, s.survivor_id as supplier_id, u.survivor_id as sub_supplier_id
from partners.links l join partners.organisations s on s.id = l.supplier_id join partners.organisations u on u.id = l.sub_supplier_id
where l.withdrawn_at is null;

-- name: insert_role
-- Notes what an organisation is to a capability.
insert into partners.roles (id, capability, partner_id, role) values (:id, :capability, :partner_id, :role);

-- name: delete_role
-- Notes that an organisation is no longer that to a capability.
delete from partners.roles where id = :id;

-- name: roles_by_capability
-- The market: who is what to which capability; with a capability only its own, with an id only that entry.
select r.id, r.capability, s.id as partner_id, s.name as partner_name, r.role, r.since,
    case when :viewer::uuid is null or s.id = :viewer then jsonb_build_object('release', t.release, 'level', t.level,
        'certifier', t.certifier, 'certified_at', t.certified_at, 'expires_at', t.expires_at) end as certified, t.certified_at as tried_at
from partners.roles r join partners.organisations o on o.id = r.partner_id join partners.organisations s on s.id = o.survivor_id
left join partners.trials t on t.partner_id = s.id and t.capability = r.capability
where (:id::uuid is null or r.id = :id) and (:capability::text is null or r.capability = :capability)
    and (r.capability collate "C", r.id) > (:after_capability, :after_id)
order by r.capability collate "C", r.id limit :size;

-- name: keep_trial
-- Notes an organisation's certification for a capability, unless a newer one is known.
insert into partners.trials (partner_id, capability, release, level, certifier, certified_at, expires_at)
values (:partner_id, :capability, :release, :level, :certifier, :certified_at, :expires_at)
on conflict (partner_id, capability) do update set release = excluded.release, level = excluded.level, certifier = excluded.certifier,
    certified_at = excluded.certified_at, expires_at = excluded.expires_at
where partners.trials.certified_at <= excluded.certified_at;
