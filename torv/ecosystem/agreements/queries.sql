-- name: insert_agreement
-- Stores the content of an agreement.
insert into agreements.agreements (id, partner_id, content, hash) values (:id, :partner_id, :content, :hash);

-- name: agreement_by_id
-- An agreement with its signatures and last event.
select a.id, a.partner_id, a.content, a.hash,
       exists (select from agreements.signatures s where s.agreement_id = a.id and s.party = 'partner') as is_signed_by_partner,
       exists (select from agreements.signatures s where s.agreement_id = a.id and s.party = 'municipality') as is_signed_by_municipality,
       (select kind from agreements.events e where e.agreement_id = a.id order by seq desc limit 1) as last_event
from agreements.agreements a where a.id = :id;

-- name: lock_agreement
-- Lets one thing happen to an agreement at a time.
select id from agreements.agreements where id = :id for update;

-- name: all_agreements
-- Every agreement with its signatures and last event.
select a.id, a.partner_id, a.content, a.hash,
       exists (select from agreements.signatures s where s.agreement_id = a.id and s.party = 'partner') as is_signed_by_partner,
       exists (select from agreements.signatures s where s.agreement_id = a.id and s.party = 'municipality') as is_signed_by_municipality,
       (select kind from agreements.events e where e.agreement_id = a.id order by seq desc limit 1) as last_event
from agreements.agreements a order by a.id;

-- name: insert_signature
-- Keeps the signature of a party.
insert into agreements.signatures (agreement_id, party, jws) values (:agreement_id, :party, :jws);

-- name: insert_confirmation
-- Notes that a user has confirmed with their password; twice is once.
insert into agreements.confirmations (agreement_id, user_id) values (:agreement_id, :user_id) on conflict do nothing;

-- name: confirmations
-- Who has confirmed, in order.
select user_id, at from agreements.confirmations where agreement_id = :agreement_id order by at;

-- name: insert_event
-- Notes that an agreement was suspended, resumed or brought into exit.
insert into agreements.events (agreement_id, kind, user_id) values (:agreement_id, :kind, :user_id);
