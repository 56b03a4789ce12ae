-- name: log_all
-- Makes the server log every statement.
alter system set log_statement = 'all';

-- name: log_none
-- Ends that.
alter system reset log_statement;

-- name: reload
-- Makes the server read its settings anew.
select pg_reload_conf();

