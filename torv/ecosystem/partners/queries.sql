-- name: insert_partner
-- Registers an organisation.
insert into partners.organisations (id, cvr, name, kind) values (:id, :cvr, :name, :kind) returning id, cvr, name, kind;

-- name: partner_by_id
-- An organisation.
select id, cvr, name, kind from partners.organisations where id = :id;

-- name: partner_by_cvr
-- The organisation with a CVR number.
select id, cvr, name, kind from partners.organisations where cvr = :cvr;

-- name: municipality
-- Ourselves.
select id, cvr, name, kind from partners.organisations where kind = 'municipality';

-- name: all_partners
-- Every organisation, by name.
select id, cvr, name, kind from partners.organisations order by name collate "C";

-- name: insert_key
-- Enrols a public key.
insert into partners.keys (kid, partner_id, jwk) values (:kid, :partner_id, :jwk);

-- name: keys_of
-- The keys a partner signs with.
select kid, jwk from partners.keys where partner_id = :partner_id and ended_at is null;
