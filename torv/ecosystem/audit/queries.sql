-- name: entries
-- The newest entries below :before that match; walks back along the primary key.
select seq, position, id, at, kind, operation, result, subjects, request_id, user_id, release_id, agreement_id, grant_id, category, purpose, call_id, detail
from base.v_trail
where seq < :before
  and (:user::uuid is null or user_id = :user) and (:release::uuid is null or release_id = :release)
  and (:agreement::uuid is null or agreement_id = :agreement)
  and (:since::timestamptz is null or at >= :since) and (:until::timestamptz is null or at < :until)
order by seq desc limit :size;

-- name: entries_about
-- The same for the entries about one person: a statement of its own, so that the index over subjects is used.
select seq, position, id, at, kind, operation, result, subjects, request_id, user_id, release_id, agreement_id, grant_id, category, purpose, call_id, detail
from base.v_trail
where subjects @> array[:person::uuid] and seq < :before
  and (:user::uuid is null or user_id = :user) and (:release::uuid is null or release_id = :release)
  and (:agreement::uuid is null or agreement_id = :agreement)
  and (:since::timestamptz is null or at >= :since) and (:until::timestamptz is null or at < :until)
order by seq desc limit :size;
