-- name: entries
-- The newest entries that match, before an instant (and, at that instant, before :seq).
select seq, position, id, at, kind, operation, result, subjects, request_id, user_id, release_id, agreement_id, grant_id, category, purpose, call_id, detail, erased_at
from audit.find_entries(:person::uuid, :user::uuid, :releases::uuid[], :agreement::uuid, :purpose::text, :request::uuid,
    :since::timestamptz, :until::timestamptz, :before::timestamptz, :seq::bigint, :size::int);

-- name: releases_of
-- The releases of a module.
select coalesce(array_agg(id), '{}') from modules.v_releases where module_id = :module;

-- name: looks
-- Who had to do with a person's data, by day and user or program, the newest first.
select l.day, l.last_at, l.count, l.user_id, l.release_id, coalesce(u.name, r.module_name) as name, o.name as partner,
       l.operations, l.shown, l.purposes
from (
    select (at at time zone 'Europe/Copenhagen')::date as day, max(at) as last_at, count(*)::int as count, user_id, release_id,
        array_agg(distinct operation) as operations,
        coalesce(array_agg(distinct detail ->> 'shown') filter (where detail ? 'shown'), '{}') as shown,
        coalesce(array_agg(distinct purpose) filter (where purpose is not null), '{}') as purposes
    from audit.find_entries(:person::uuid, null, null, null, null, null, :since::timestamptz, null, 'infinity', 0, null)
    where kind in ('read', 'write', 'intent') and result in ('permitted', 'emergency')
    group by 1, user_id, release_id) l
left join identity.v_users u on u.id = l.user_id
left join modules.v_releases r on r.id = l.release_id
left join partners.v_organisations o on o.id = r.partner_id
where (l.last_at, coalesce(l.user_id, l.release_id, '00000000-0000-0000-0000-000000000000'::uuid)) < (:before::timestamptz, :who::uuid)
order by l.last_at desc, coalesce(l.user_id, l.release_id, '00000000-0000-0000-0000-000000000000'::uuid) desc limit :size;

-- name: releases_of_partner
-- The releases of a partner and of those that have become part of it.
select coalesce(array_agg(r.id), '{}') from modules.v_releases r join partners.v_organisations o on o.id = r.partner_id
where o.survivor_id = :partner;

-- name: own_entries
-- Entries with one of some releases as the caller, newest first; of each release through its index, which serves `between` and that
-- order. That a call was mirrored to another release is Torv's doing, and no business of the caller's.
select t.seq, t.position, t.id, t.at, t.kind, t.operation, t.result, t.request_id, t.release_id, t.agreement_id, t.grant_id, t.category, t.purpose,
       t.call_id, coalesce(t.detail ->> 'release' <> all (:releases::uuid[]::text[]), false) as is_withheld
from unnest(:releases::uuid[]) own (id)
cross join lateral (select * from base.v_trail t
    where t.release_id between own.id and own.id and (t.at, t.seq) < (:before::timestamptz, :seq::bigint) and t.result <> 'mirrored'
      and (:since::timestamptz is null or t.at >= :since) and (:request::uuid is null or t.request_id = :request)
    order by t.release_id desc, t.at desc, t.seq desc limit :size) t
order by t.at desc, t.seq desc limit :size;

-- name: own_entry
-- An entry, if one of some releases was the caller.
select position, subjects, coalesce(detail ->> 'release' <> all (:releases::uuid[]::text[]), false) as is_withheld from base.v_trail
where id = :id and at >= :since::timestamptz and at <= :until::timestamptz and release_id = any (:releases::uuid[]) and result <> 'mirrored';

-- name: log_id
-- What tells this log from every other.
select id from audit.log;

-- name: share_log
-- The log's id; until the transaction ends, nobody rotates its key.
select id from audit.log for share;

-- name: lock_log
-- The log's id; until the transaction ends, nobody signs or rotates.
select id from audit.log for update;

-- name: newest_key
-- The key in force.
select number, kid, since, jws, former_jws from audit.keys order by number desc limit 1;

-- name: keys
-- Every key there has been, in order.
select number, kid, since, jws, former_jws from audit.keys order by number;

-- name: insert_key
-- Stores that a key is in force; who comes second with the very first one leaves it as it is.
insert into audit.keys (number, kid, since, jws, former_jws) values (:number, :kid, :since, :jws, :former_jws)
on conflict (number) do nothing;

-- name: mentioned_keys
-- The hashes of the statements that the log says keys came into force with.
select coalesce(array_agg(detail ->> 'statement'), '{}') from base.v_trail where operation = 'audit.rotate_key' and detail ? 'statement';

-- name: tree_size
-- How many leaves the tree has.
select coalesce(max(position), 0) from audit.leaves;

-- name: records_after
-- The next entries with a position, in order, as their leaves will commit to them.
select coalesce(array_agg(record order by position), '{}') from audit.v_records where position > :after and position <= :until;

-- name: insert_leaves
-- Stores leaves one after the other, the first as :first.
insert into audit.leaves (position, salt, hash)
select :first::bigint + nth - 1, salt, hash
from unnest(:salts::bytea[], :hashes::bytea[]) with ordinality as new (salt, hash, nth);

-- name: insert_nodes
-- Stores roots of subtrees that have become complete.
insert into audit.nodes (level, index, hash)
select * from unnest(:levels::smallint[], :indexes::bigint[], :hashes::bytea[]);

-- name: kept_hashes
-- Hashes of a level (0: leaves), from one index up to another, for each of several such spans; in one array each.
select case when w.level = 0
    then (select array_agg(hash order by position) from audit.leaves where position > w.first and position <= w.last)
    else (select array_agg(hash order by index) from audit.nodes n where n.level = w.level and index >= w.first and index < w.last)
    end as hashes
from unnest(:levels::int[], :firsts::bigint[], :lasts::bigint[]) with ordinality as w (level, first, last, nth)
order by nth;

-- name: insert_head
-- Stores a signed head.
insert into audit.heads (size, root, at, breaks, jws) values (:size, :root, :at, :breaks, :jws)
returning number, size, root, at, breaks, jws;

-- name: newest_head
-- The head that was signed last.
select number, size, root, at, breaks, jws from audit.heads order by number desc limit 1;

-- name: heads_before
-- Heads, the newest first, below a number.
select number, size, root, at, breaks, jws from audit.heads where number < :before order by number desc limit :size;

-- name: heads_by_size
-- Heads of the smallest trees beyond a size and number.
select number, size, root, at, breaks, jws from audit.heads where (size, number) > (:after_size, :after_number) order by size, number limit :limit;

-- name: sizes
-- How many leaves the tree has, and how many its newest head covers.
select coalesce((select max(position) from audit.leaves), 0) as tree,
       coalesce((select size from audit.heads order by number desc limit 1), 0) as head;

-- name: position_of
-- The position of an entry; null while it has none.
select position from base.v_trail where id = :id and at >= :since::timestamptz and at <= :until::timestamptz;

-- name: sealed
-- Entries with what their leaves are made of.
select r.position, r.record, l.salt, l.hash from audit.v_records r join audit.leaves l using (position)
where position >= :first and position <= :last order by position;

-- name: stretch
-- Entries and leaves side by side, from :first to :last, each with null where the other has no partner.
select array_agg(record order by position) as records, array_agg(salt order by position) as salts,
       array_agg(hash order by position) as hashes, array_agg(position order by position) as positions,
       array_agg(erased order by position) as erased
from (
    select position, r.record, l.salt, l.hash, coalesce(r.erased_at is not null, false) as erased
    from (select position, record, erased_at from audit.v_records where position >= :first and position <= :last) r
    full join (select position, salt, hash from audit.leaves where position >= :first and position <= :last) l using (position)
) both_sides;

-- name: last_position
-- The highest position that an entry or a leaf has.
select greatest((select max(position) from base.v_trail), (select max(position) from audit.leaves));

-- name: trail_position
-- The last position that the sequencer says it gave.
select position from base.v_streams where name = 'trail';

-- name: kept_nodes
-- The kept subtrees of a level in order.
select coalesce(array_agg(hash order by index), '{}') from audit.nodes where level = :level and index >= :first and index < :last;

-- name: declared_erasures
-- The positions that the log itself says a person was taken out of, as pairs of first and last.
select detail -> 'erased' as spans from base.v_trail where operation = 'audit.erase' and detail ? 'erased';

-- name: breaks
-- The declared breaks, in order.
select number, lost_size, kept_size, declared_at, jws from audit.breaks order by number;

-- name: mentioned_breaks
-- The hashes of the statements that the log says breaks were declared with.
select coalesce(array_agg(detail ->> 'statement'), '{}') from base.v_trail where operation = 'audit.declare_break' and detail ? 'statement';

-- name: count_breaks
-- How many breaks have been declared.
select count(*)::int from audit.breaks;

-- name: insert_break
-- Stores a declared break.
insert into audit.breaks (number, lost_size, kept_size, declared_at, jws) values (:number, :lost_size, :kept_size, :declared_at, :jws);

-- name: retention
-- The rule in force on a day: how long entries are kept.
select months, source from audit.retentions where valid_from <= :day order by valid_from desc limit 1;

-- name: erasable
-- The positions of the oldest entries about a person from before an instant.
select coalesce(array_agg(position order by position), '{}') from (
    select position from base.v_trail where subjects @> array[:person::uuid] and at < :before and position is not null
    order by position limit :size) oldest;

-- name: erase_subject
-- Takes a person out of entries, and forgets the salts of their leaves.
select audit.erase_subject(:person, :positions);
