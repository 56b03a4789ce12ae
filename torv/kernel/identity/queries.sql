-- name: insert_user
-- Creates a user.
insert into identity.users (id, login, name, role, password_hash) values (:id, :login, :name, :role, :password_hash)
returning id, login, name, role;

-- name: user_by_login
-- The user who signs in with this name.
select id, login, name, role, password_hash from identity.users where login = :login;

-- name: user_by_id
-- A user, with the hash of the password.
select id, login, name, role, password_hash from identity.users where id = :id;

-- name: insert_session
-- Begins a session, kept under the hash of its token.
insert into identity.sessions (token_hash, user_id) values (:token_hash, :user_id);

-- name: user_of_session
-- The user of a session that has not ended: idle for less than 30 minutes, less than 10 hours old.
select u.id, u.login, u.name, u.role, s.seen_at < clock_timestamp() - interval '1 minute' as is_stale from identity.sessions s join identity.users u on u.id = s.user_id
where s.token_hash = :token_hash and s.ended_at is null
  and s.seen_at > clock_timestamp() - interval '30 minutes' and s.began_at > clock_timestamp() - interval '10 hours';

-- name: touch_session
-- Notes that a session is in use; at most once a minute, so that reading does not become writing.
update identity.sessions set seen_at = clock_timestamp()
where token_hash = :token_hash and seen_at < clock_timestamp() - interval '1 minute';

-- name: end_session
-- Ends a session.
update identity.sessions set ended_at = clock_timestamp() where token_hash = :token_hash and ended_at is null;

-- name: recent_failures
-- How often signing in under this name has failed in the last 15 minutes.
select count(*) from identity.failures where login_hash = :login_hash and at > clock_timestamp() - interval '15 minutes';

-- name: insert_failure
-- Notes a failed attempt to sign in, under the hash of the name that was tried.
insert into identity.failures (login_hash) values (:login_hash);

-- name: forget_failures
-- Forgets failed attempts after a success.
delete from identity.failures where login_hash = :login_hash;
