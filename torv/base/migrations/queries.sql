-- name: prepare
-- Makes room for the list of what has run.
create schema if not exists base;
create table if not exists base.migrations (name text primary key, checksum text not null, ran_at timestamptz not null default clock_timestamp());

-- name: lock
-- Lets one process migrate at a time.
select pg_advisory_xact_lock(hashtextextended('torv migrate', 0));

-- name: done
-- What has run, with the checksum it had.
select name, checksum from base.migrations;

-- name: remember
-- Notes that a migration has run.
insert into base.migrations (name, checksum) values (:name, :checksum);
