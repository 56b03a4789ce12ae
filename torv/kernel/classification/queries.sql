-- name: take_turn
-- Lets one import of a code list run at a time, until the transaction ends.
select pg_advisory_xact_lock(hashtextextended('classification ' || :code_list::text, 0));

-- name: edition_by_digest
-- The edition with exactly this content.
select number, published, source, levels, imported_at from classification.editions where code_list = :code_list and digest = :digest;

-- name: newest_published
-- When the newest edition was published that covers any of these levels.
select max(published) from classification.editions where code_list = :code_list and levels && :levels::text[];

-- name: newest_edition
-- The id of the newest edition.
select id from classification.editions where code_list = :code_list order by number desc limit 1;

-- name: insert_edition
-- Registers an edition under the next number.
insert into classification.editions (id, code_list, number, published, source, levels, digest)
select :id, :code_list, coalesce(max(number), 0) + 1, :published, :source, :levels, :digest
from classification.editions where code_list = :code_list
returning number, published, source, levels, imported_at;

-- name: insert_entries
-- Registers codes that were not known.
insert into classification.entries (code_list, code, level, parent)
select :code_list, code, level, parent from jsonb_to_recordset(:rows::jsonb) as r (code text, level text, parent text)
on conflict do nothing;

-- name: insert_versions
-- Writes what an edition says that was not known before.
insert into classification.versions
    (code_list, code, edition, effective_from, title, has_derived_title, valid_from, valid_to, official_id, keywords, sort_key, search_key)
select :code_list, code, :edition, :effective_from, title, has_derived_title, valid_from, valid_to, official_id, keywords, sort_key, search_key
from jsonb_to_recordset(:rows::jsonb) as r (
    code text, title text, has_derived_title boolean, valid_from date, valid_to date, official_id uuid, keywords jsonb,
    sort_key text, search_key text);

-- name: known_entries
-- Everything known of a code list now.
select code, level, parent, title, has_derived_title, valid_from, valid_to, official_id, keywords
from classification.entries_at(:code_list::text, null, null);

-- name: entry
-- One code, as an edition knew it and as it was on a day.
select code, level, parent, title, has_derived_title, valid_from, valid_to, official_id, edition
from classification.entries_at(:code_list::text, :edition::int, :valid_at::date)
where code = :code and (:valid_at::date is null
      or (valid_from is null or valid_from <= :valid_at) and (valid_to is null or valid_to > :valid_at));

-- name: entries
-- The codes in force on a day: below :parent, of a :level, that begin with :prefix, whose titles have all :words or nearly.
select code, level, parent, title, has_derived_title, valid_from, valid_to, official_id, edition, place
from classification.entries_at(:code_list::text, :edition::int, :valid_at::date),
     lateral (select case when cardinality(:words::text[]) = 0 then code else sort_key end collate "C" as place) sorted
where (:parent::text is null or parent = :parent) and (:level::text is null or level = :level)
  and (:prefix::text is null or starts_with(code, :prefix))
  and not exists (select from unnest(:words::text[]) word
                  where strpos(search_key, word) = 0 and strict_word_similarity(word, search_key) < 0.5)
  and (valid_from is null or valid_from <= :in_force_on::date) and (valid_to is null or valid_to > :in_force_on::date)
  and (:after_place::text is null or (place, code) > (:after_place, :after_code::text))
order by place, code limit :size;

-- name: editions
-- The editions of a code list, newest first.
select number, published, source, levels, imported_at from classification.editions
where code_list = :code_list and (:before::int is null or number < :before) order by number desc limit :size;

-- name: searched
-- The codes with keywords that are in force on a day.
select code, title, keywords from classification.entries_at(:code_list::text, null, null)
where keywords <> '[]' and (valid_from is null or valid_from <= :in_force_on::date) and (valid_to is null or valid_to > :in_force_on::date)
order by code;
