-- name: insert_agreement
-- Stores the content of an agreement.
insert into agreements.agreements (id, partner_id, version, supersedes, parent_id, content, hash)
values (:id, :partner_id, :version, :supersedes, :parent_id, :content, :hash);

-- name: agreement_by_id
-- An agreement with its signatures and what has happened to it.
select a.id, o.survivor_id as partner_id, a.content, a.hash,
       array(select signer from agreements.signatures s where s.agreement_id = a.id order by signer) as signed_by,
       coalesce((select jsonb_agg(jsonb_build_object('kind', e.kind, 'at', e.at) order by e.seq) from agreements.events e where e.agreement_id = a.id), '[]') as events
from agreements.agreements a join partners.v_organisations o on o.id = a.partner_id where a.id = :id;

-- name: lock_agreement
-- Lets one thing happen to an agreement at a time.
select id from agreements.agreements where id = :id for update;

-- name: marks
-- How many agreements, signatures and events there are in each slice of the agreements: none of them ever goes away; and
-- a number that is another one when a partner has merged into another.
select a.seq / :size::int as slice, count(*) as agreements, coalesce(sum(s.number), 0)::bigint as signatures, coalesce(sum(e.number), 0)::bigint as events,
       sum(hashtext(o.survivor_id::text))::bigint as partners
from agreements.agreements a join partners.v_organisations o on o.id = a.partner_id
left join (select agreement_id, count(*) as number from agreements.signatures group by agreement_id) s on s.agreement_id = a.id
left join (select agreement_id, count(*) as number from agreements.events group by agreement_id) e on e.agreement_id = a.id
group by 1 order by 1;

-- name: standings
-- A slice of the agreements, each with its signatures and what has happened to it; contents only of those not in :known.
select a.id, o.survivor_id as partner_id, case when a.id = any(:known::uuid[]) then null else a.content end as content, a.hash,
       array(select signer from agreements.signatures s where s.agreement_id = a.id order by signer) as signed_by,
       coalesce((select jsonb_agg(jsonb_build_object('kind', e.kind, 'at', e.at) order by e.seq) from agreements.events e where e.agreement_id = a.id), '[]') as events
from agreements.agreements a join partners.v_organisations o on o.id = a.partner_id
where a.seq >= :first::bigint and a.seq < :end::bigint order by a.seq;

-- name: agreements_in_order
-- Agreements in the order in which they were proposed, newest first; a partner's, if one is given; and, if a party is
-- given, those that it signs, for itself or as the supplier above.
select a.seq, a.id, o.survivor_id as partner_id, a.content, a.hash,
       array(select signer from agreements.signatures s where s.agreement_id = a.id order by signer) as signed_by,
       coalesce((select jsonb_agg(jsonb_build_object('kind', e.kind, 'at', e.at) order by e.seq) from agreements.events e where e.agreement_id = a.id), '[]') as events
from agreements.agreements a join partners.v_organisations o on o.id = a.partner_id
where a.seq < :before and (:partner_id::uuid is null or o.survivor_id = :partner_id)
  and (:party::uuid is null or o.survivor_id = :party
       or a.content -> 'parent' ->> 'partner' in (select w.cvr from partners.v_organisations w where w.survivor_id = :party))
order by a.seq desc limit :size;

-- name: agreements_unused
-- Agreements that nothing in the trail was done under since an instant, and when something last was; newest first.
-- The index on agreements serves `between` and that order; with `=`, an agreement without entries could cost the whole trail.
select a.seq, a.id, o.survivor_id as partner_id, a.content, a.hash,
       array(select signer from agreements.signatures s where s.agreement_id = a.id order by signer) as signed_by,
       coalesce((select jsonb_agg(jsonb_build_object('kind', e.kind, 'at', e.at) order by e.seq) from agreements.events e where e.agreement_id = a.id), '[]') as events,
       used.at as used_at
from agreements.agreements a join partners.v_organisations o on o.id = a.partner_id
left join lateral (select t.at from base.v_trail t where t.agreement_id between a.id and a.id
                   order by t.agreement_id desc, t.at desc, t.seq desc limit 1) used on true
where a.seq < :before and (used.at is null or used.at < :since)
order by a.seq desc limit :size;

-- name: agreements_of
-- A partner's agreements, oldest first; those of organisations that have merged into it too.
select a.id from agreements.agreements a join partners.v_organisations o on o.id = a.partner_id where o.survivor_id = :partner_id order by a.seq;

-- name: agreements_with_promises
-- The agreements that promise something about service, oldest first.
select id from agreements.agreements where content -> 'service_levels' <> '[]' order by seq;

-- name: is_party
-- Whether a partner signs an agreement, for itself or as the supplier above.
select exists (select from agreements.agreements a join partners.v_organisations o on o.id = a.partner_id
    where a.id = :id and (o.survivor_id = :party
       or a.content -> 'parent' ->> 'partner' in (select w.cvr from partners.v_organisations w where w.survivor_id = :party)));

-- name: successors_of
-- The versions proposed to come after an agreement.
select id from agreements.agreements where supersedes = :id order by seq;

-- name: insert_signature
-- Keeps the signature of a party.
insert into agreements.signatures (agreement_id, signer, jws) values (:agreement_id, :signer, :jws);

-- name: signatures_of
-- The signatures of an agreement.
select signer, jws, at from agreements.signatures where agreement_id = :agreement_id order by at, signer;

-- name: insert_confirmation
-- Notes that a user has confirmed with their password; twice is once.
insert into agreements.confirmations (agreement_id, user_id) values (:agreement_id, :user_id) on conflict do nothing;

-- name: confirmations
-- Who has confirmed, in order.
select user_id, at from agreements.confirmations where agreement_id = :agreement_id order by at;

-- name: confirmed_by
-- The people who have confirmed, in order.
select u.name from agreements.confirmations c join identity.v_users u on u.id = c.user_id where c.agreement_id = :agreement_id order by c.at;

-- name: insert_event
-- Notes that something happened to an agreement.
insert into agreements.events (agreement_id, kind, user_id, signer, jws, reason)
values (:agreement_id, :kind, :user_id, :signer, :jws, :reason);

-- name: events_of
-- What has happened to an agreement, in order.
select e.kind, e.at, e.user_id, u.name as user_name, e.signer, e.reason
from agreements.events e left join identity.v_users u on u.id = e.user_id where e.agreement_id = :agreement_id order by e.seq;

-- name: statements_of
-- The signed statements among what has happened to an agreement.
select jws from agreements.events where agreement_id = :agreement_id and jws is not null order by seq;

-- name: insert_draft
-- Begins a draft.
insert into agreements.drafts (id, title, content, changed_by) values (:id, :title, :content, :user_id)
returning id, title, content, version, changed_at;

-- name: change_draft
-- Changes a draft, if nobody else has meanwhile.
update agreements.drafts set title = :title, content = :content, changed_by = :user_id, changed_at = clock_timestamp(), version = version + 1
where id = :id and version = :expected returning id, title, content, version, changed_at;

-- name: draft_by_id
-- A draft.
select id, title, content, version, changed_at from agreements.drafts where id = :id;

-- name: drafts_by_title
-- Drafts by title.
select id, title, content, version, changed_at from agreements.drafts
where (title collate "C", id) > (:after_title::text collate "C", :after_id::uuid) order by title collate "C", id limit :size;

-- name: delete_draft
-- Throws a draft away.
delete from agreements.drafts where id = :id and version = :expected;

-- name: insert_emergency_list
-- Stores an emergency list for signature.
insert into agreements.emergency_lists (id, content, hash) values (:id, :content, :hash);

-- name: lock_emergency_list
-- Lets one person confirm at a time.
select hash from agreements.emergency_lists where id = :id for update;

-- name: emergency_list_by_id
-- An emergency list.
select id, content, hash, jws is not null as is_signed from agreements.emergency_lists where id = :id;

-- name: confirm_emergency_list
-- Notes that a user has confirmed with their password; twice is once.
insert into agreements.emergency_confirmations (list_id, user_id) values (:id, :user_id) on conflict do nothing;

-- name: emergency_confirmations
-- Who has confirmed, in order.
select user_id, at from agreements.emergency_confirmations where list_id = :id order by at;

-- name: sign_emergency_list
-- Keeps the municipality's signature.
update agreements.emergency_lists set jws = :jws where id = :id;

-- name: newest_emergency_list
-- The newest emergency list that is signed.
select id, content, hash, true as is_signed from agreements.emergency_lists where jws is not null order by seq desc limit 1;

-- name: take_quota
-- Takes a block of a limit in a window: what is taken then, the block included, or no row if nothing was left.
insert into agreements.quotas as q (key, kind, seconds, window_begins, taken) values (:key, :kind, :seconds, :begins, :wanted)
on conflict (key, kind, seconds, window_begins) do update set taken = q.taken + excluded.taken where q.taken < :amount
returning taken;

-- name: forget_quotas
-- Forgets windows that are over.
delete from agreements.quotas where window_begins < clock_timestamp() - interval '2 days';
