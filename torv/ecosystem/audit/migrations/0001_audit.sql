-- The log that proves itself: a Merkle tree (RFC 9162) over the trail, its signed heads, and what was declared about it.
create table audit.log (
    only_row boolean primary key default true check (only_row),
    id uuid not null default gen_random_uuid()  -- tells this log from every other
);
insert into audit.log default values;

-- No foreign key to the trail: whether each entry has its leaf and each leaf its entry is what `torv audit verify` finds out.
create table audit.leaves (
    position bigint primary key,       -- the entry's; the first leaf of the tree is 1
    salt bytea,                        -- random; gone when a person was taken out of the entry
    hash bytea not null
);

-- The roots of every 256 leaves (level 8), of every 65,536 (level 16) ...: with them every proof is a few short reads.
create table audit.nodes (
    level smallint,
    index bigint,
    hash bytea not null,
    primary key (level, index)
);

create table audit.heads (
    number bigint generated always as identity primary key,
    size bigint not null,
    root bytea not null,
    at timestamptz not null,
    breaks int not null,               -- how many had been declared
    jws text not null
);
create index heads_size on audit.heads (size, number);

-- The keys that heads are signed with, one after the other. The period of one ends where the next one's begins.
create table audit.keys (
    number int primary key,
    kid text not null unique,          -- its thumbprint
    since timestamptz not null,
    jws text not null,                 -- the statement that it is in force, signed by itself
    former_jws text                    -- the same signed by the one before; null for the first, and where that was lost
);

-- After a legitimate restore: the head that was lost, and with how many leaves the log went on.
create table audit.breaks (
    number int primary key,
    lost_size bigint not null,
    kept_size bigint not null,
    declared_at timestamptz not null,
    jws text not null,
    check (kept_size < lost_size)
);

-- How long entries about a person are kept at least. A municipality with another rule adds a line.
create table audit.retentions (
    valid_from date primary key,
    months int not null check (months >= 6),
    source text not null
);
insert into audit.retentions (valid_from, months, source) values
    ('2000-07-01', 60, 'Bekendtgørelse 528 af 15. juni 2000 (sikkerhedsbekendtgørelsen) § 19: mindst 6 måneder, højst 5 år'),
    ('2018-05-25', 60, 'Databeskyttelsesforordningen artikel 5, stk. 1, litra e, og artikel 32: kommunen fastsætter selv; her de 5 år, der gjaldt før');

create trigger leaves_keep before delete or truncate on audit.leaves for each statement execute function base.refuse_change();
create trigger leaves_lose_their_salt_only before update on audit.leaves for each row
    when (not (new.salt is null and (old.position, old.hash) = (new.position, new.hash))) execute function base.refuse_change();
create trigger nodes_keep before delete or truncate or update on audit.nodes for each statement execute function base.refuse_change();
create trigger heads_keep before delete or truncate or update on audit.heads for each statement execute function base.refuse_change();
create trigger keys_keep before delete or truncate or update on audit.keys for each statement execute function base.refuse_change();
create trigger breaks_keep before delete or truncate or update on audit.breaks for each statement execute function base.refuse_change();

-- Canonical JSON (RFC 8785) of a text and of an id, null included. (Stable, as what they call: otherwise they are not inlined.)
create function audit.quoted(text) returns text language sql stable parallel safe as $$ select coalesce(to_json($1)::text, 'null') $$;
create function audit.quoted(uuid) returns text language sql stable parallel safe as $$ select coalesce('"' || $1 || '"', 'null') $$;

-- Each entry with the record that its leaf commits to, exactly as it is hashed. See docs/reference/audit-log.md. (row_to_json
-- would say the same in fewer words, and takes half as long again: measured, with a million of them to verify.)
create view audit.v_records as
select seq, position, id, erased_at, concat(
    '{"agreement_id":', audit.quoted(agreement_id),
    ',"at":"', to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    '","call_id":', audit.quoted(call_id),
    ',"category":', audit.quoted(category),
    ',"detail":', audit.quoted(detail::text),
    ',"grant_id":', audit.quoted(grant_id),
    ',"id":', audit.quoted(id),
    ',"kind":', audit.quoted(kind),
    ',"operation":', audit.quoted(operation),
    ',"purpose":', audit.quoted(purpose),
    ',"release_id":', audit.quoted(release_id),
    ',"request_id":', audit.quoted(request_id),
    ',"result":', audit.quoted(result),
    ',"subjects":', array_to_json(subjects),
    ',"user_id":', audit.quoted(user_id),
    ',"v":1}') as record
from base.v_trail;

-- Entries that match, before an instant, the newest first; what is null matches everything. Planned anew for the filter of
-- each call: one plan for all of them would use none of the indexes. Whoever looks for a person must not walk back through
-- everybody's entries, so those about one are found first.
create function audit.find_entries(
    of_person uuid, of_user uuid, of_releases uuid[], of_agreement uuid, of_purpose text, of_request uuid,
    since timestamptz, until timestamptz, before timestamptz, before_seq bigint, size int
) returns setof base.v_trail language plpgsql stable set plan_cache_mode = force_custom_plan as $$
declare
    about bigint[] := case when of_person is not null then array(select seq from base.v_trail where subjects @> array[of_person]) end;
begin
    return query select * from base.v_trail t
    where (about is null or t.seq = any (about))
      and (of_user is null or t.user_id = of_user)
      and (of_releases is null or t.release_id = any (of_releases))
      and (of_agreement is null or t.agreement_id = of_agreement)
      and (of_purpose is null or t.purpose = of_purpose)
      and (of_request is null or t.request_id = of_request)
      and (since is null or t.at >= since)
      and (until is null or t.at < until)
      and (t.at, t.seq) < (before, before_seq)
    order by t.at desc, t.seq desc limit size;
end $$;

-- Takes a person out of entries; without its salt, nobody can try out on a leaf what its entry may have said.
create function audit.erase_subject(person uuid, positions bigint[]) returns void language sql as $$
    select base.erase_subject(person, positions);
    update audit.leaves set salt = null where position = any (positions) $$;
