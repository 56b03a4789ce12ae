-- name: begin_file
-- Notes that a file is being imported, if nobody has yet.
insert into cpr.files (sha256, task, produced_on, persons, parts) values (:file, :task, :produced_on, :persons, :parts)
on conflict (sha256) do nothing;

-- name: file_of
-- How far a file is.
select parts, finished_at is not null as is_finished from cpr.files where sha256 = :file;

-- name: later_file
-- Whether a later extract of the same task has been imported, or is under way.
select exists (select from cpr.files where task = :task and produced_on > :produced_on and sha256 <> :file);

-- name: done_parts
-- The parts of a file that are in.
select part from cpr.parts where file = :file;

-- name: claim_part
-- Takes a part; gives nothing if it is in already. Whoever else wants it waits for this transaction.
insert into cpr.parts (file, part) values (:file, :part) on conflict do nothing returning part;

-- name: note_part
-- What came of a part.
update cpr.parts set added = :added, changed = :changed, unchanged = :unchanged where file = :file and part = :part;

-- name: keep_unknown
-- Keeps records of kinds we do not know.
insert into cpr.unknown_records (file, line, record, content)
select :file, line, record, content from jsonb_to_recordset(:records::jsonb) as e (line int, record text, content text);

-- name: forget_unknown
-- Deletes records of kinds we do not know, some days after their file came in.
delete from cpr.unknown_records u using cpr.files f
where f.sha256 = u.file and f.finished_at < clock_timestamp() - make_interval(days => :days);

-- name: finish_file
-- Notes that all parts are in.
update cpr.files set finished_at = clock_timestamp() where sha256 = :file and finished_at is null;

-- name: totals
-- What came of all parts.
select coalesce(sum(added), 0)::int as added, coalesce(sum(changed), 0)::int as changed, coalesce(sum(unchanged), 0)::int as unchanged
from cpr.parts where file = :file;
