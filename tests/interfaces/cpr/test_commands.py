"""The commands: made-up people are written, brought in and found; nothing that is there already is written over."""

from pathlib import Path

import asyncpg

from tests.interfaces.terminal import torv


async def test_made_up_people_come_in_as_real_ones_would(dsn_of_tables: str, state_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "town.txt"
    code, said = torv(dsn_of_tables, state_dir, "export", "made-up-cpr", str(file), "--persons", "30")
    assert (code, said.strip().endswith(f"Bring them in by: torv import cpr {file}")) == (0, True)
    code, said = torv(dsn_of_tables, state_dir, "import", "cpr", str(file))
    assert (code, "30 persons: 30 added, 0 changed, 0 unchanged." in said) == (0, True)
    connection = await asyncpg.connect(dsn_of_tables)
    assert await connection.fetchval("select count(*) from persons.persons") == 30
    await connection.close()


def test_a_file_that_is_there_is_left_as_it_is(dsn_of_tables: str, state_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "real.txt"
    file.write_text("somebody's extract", encoding="utf-8")
    code, said = torv(dsn_of_tables, state_dir, "export", "made-up-cpr", str(file))
    assert (code, said.strip()) == (1, f"torv: {file}: filen findes allerede")
    assert file.read_text(encoding="utf-8") == "somebody's extract"
