"""`torv import kle FILE`: what the file changes is shown, and a broken one changes nothing."""

from datetime import date
from pathlib import Path

import asyncpg
import pytest

from tests.cast import Cast
from tests.interfaces.terminal import torv
from tests.samples import sample
from torv.base.db import Database
from torv.base.errors import EditionRefused, KleFileInvalid, TooLarge
from torv.interfaces.kle import import_file, importing, read_file
from torv.kernel.classification import ChangeKind

OLD, NEW = date(2026, 3, 10), date(2026, 9, 1)


def test_a_file_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "LARGEST_FILE", 10)
    (tmp_path / "kle.txt").write_bytes(b"x" * 11)
    with pytest.raises(TooLarge):
        read_file(tmp_path / "kle.txt")


async def test_the_public_file_is_imported_twice_and_changed_once(
    database: Database, cast: Cast, tmp_path: Path, outsider: asyncpg.Connection
) -> None:
    path, access = sample("kle/OS2KLE.txt"), cast.user("classification.import", "classification")
    first = await import_file(database, access, path, published=OLD)
    assert first.count(ChangeKind.ADDED) == 2390 + 498 + 37
    assert not (await import_file(database, access, path)).is_new
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    changed = tmp_path / "OS2KLE.txt"
    changed.write_text("".join(lines[1:]).replace("'Venskabsbysamarbejde'", "'Venskabsbyer'"), encoding="utf-8")
    second = await import_file(database, access, changed, published=NEW)
    told = {change.code: (change.kind, change.title) for change in second.changes}
    assert told["00.01.00"] == (ChangeKind.ENDED, "Kommunens styrelse i almindelighed")
    assert told["00.05.01"] == (ChangeKind.RETITLED, "Venskabsbyer")
    assert {code for code in told if len(code) == 8} == {"00.01.00", "00.05.01"}
    assert await outsider.fetchval("select count(*) from classification.editions") == 2


async def test_official_titles_and_ids_join_the_keywords(database: Database, cast: Cast) -> None:
    access = cast.user("classification.import", "classification")
    await import_file(database, access, sample("kle/kle-rest-1.2-sample.xml"))
    done = await import_file(database, access, sample("kle/OS2KLE.txt"), published=OLD)
    told = {change.code: (change.kind, change.former_title) for change in done.changes}
    assert told["00.03.00"] == (ChangeKind.RETITLED, "HAS BEEN RENAMED")
    assert told["00.01.00"] == (ChangeKind.UPDATED, None)
    assert "00.01" not in told


async def test_a_part_of_the_list_does_not_end_the_rest(database: Database, cast: Cast) -> None:
    access = cast.user("classification.import", "classification")
    await import_file(database, access, sample("kle/OS2KLE.txt"), published=date(2019, 1, 1))
    with pytest.raises(EditionRefused, match="codes would end"):
        await import_file(database, access, sample("kle/kle-rest-1.2-sample.xml"))


async def test_a_broken_file_changes_nothing(
    database: Database, cast: Cast, tmp_path: Path, outsider: asyncpg.Connection
) -> None:
    broken = tmp_path / "OS2KLE.txt"
    broken.write_bytes(sample("kle/OS2KLE.txt").read_bytes()[:-20])
    with pytest.raises(KleFileInvalid, match="Line 2390: "):
        await import_file(database, cast.user("classification.import", "classification"), broken)
    assert await outsider.fetchval("select count(*) from classification.entries") == 0


LINES = """KLENummer='09.13.00':KLETitel='Skadedyrsbekæmpelse i almindelighed':Keywords[Weight]=skadedyr[5];
KLENummer='09.13.01':KLETitel='Rottebekæmpelse':Keywords[Weight]=rotte[5];
"""


def test_the_command_shows_what_changed(dsn: str, state_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "kle.txt"
    file.write_text(LINES, encoding="utf-8")
    code, said = torv(dsn, state_dir, "import", "kle", str(file), "--published", "2026-03-10")
    assert (code, "added 09.13.01 Rottebekæmpelse" in said) == (0, True)
    assert "Edition 1 (2026-03-10): 4 added, 0 retitled, 0 ended, 0 updated, 0 unchanged." in said
    file.write_text(LINES.replace("Rottebekæmpelse", "Rotter"), encoding="utf-8")
    code, said = torv(dsn, state_dir, "import", "kle", str(file))
    assert (code, "retitled 09.13.01 Rotter (was: Rottebekæmpelse)" in said) == (0, True)
    assert "imported before; nothing to do" in torv(dsn, state_dir, "import", "kle", str(file))[1]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("noget andet\n", "Linje 1: den er ikke et nummer, en titel og nøgleord."),
        ("<KLE-Emneplan></KLE-Emneplan>", "Udgaven kan ikke indlæses: den har ingen koder."),
        (None, "filen findes ikke"),
    ],
)
def test_the_command_refuses_in_one_sentence(
    dsn: str, state_dir: Path, tmp_path: Path, content: str | None, says: str
) -> None:
    file = tmp_path / "kle.txt"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    code, said = torv(dsn, state_dir, "import", "kle", str(file))
    assert (code, says in said, "Traceback" in said) == (1, True, False)
