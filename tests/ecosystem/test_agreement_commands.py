"""`torv agreement` as somebody at a terminal meets it: a file, sentences in Danish, and a status."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.cast import BORGERBLIK, MUNICIPALITY, Cast, content_of, enter_agreement
from tests.conftest import CopyDatabase, Template
from torv.base import signing
from torv.base.db import Database
from torv.base.ids import new_id
from torv.base.signing import Keys, fingerprint
from torv.cli import commands
from torv.ecosystem.agreements import EventKind, happen
from torv_sdk.keys import sign_agreement

pytestmark = pytest.mark.anyio
Torv = Callable[..., Awaitable[Result]]
WHO = ("--municipality", MUNICIPALITY, "--partner", BORGERBLIK.cvr, "--name", BORGERBLIK.name, "--module", "borgerblik")
WHY = ("--activity", "overblik", "--law", "SEL §83", "--purpose", "Overblik")


async def run(*arguments: object, **settings: str) -> Result:
    """The command in a thread, where it can have an event loop of its own."""
    texts = ["agreement", *map(str, arguments)]
    return await asyncio.to_thread(CliRunner().invoke, commands, texts, env=settings)


@pytest.fixture
def torv(dsn: str, state_dir: Path) -> Torv:
    """The command of an installation with the cast in it."""

    async def with_database(*arguments: object, **settings: str) -> Result:
        return await run(*arguments, **{"TORV_DATABASE_URL": dsn, "TORV_STATE_DIR": str(state_dir), **settings})

    return with_database


@pytest.fixture
def clauses(tmp_path: Path) -> tuple[str, str]:
    (tmp_path / "clauses.txt").write_text("Vilkår")
    return "--clauses", str(tmp_path / "clauses.txt")


@pytest.fixture
async def paper(torv: Torv, cast: Cast, tmp_path: Path) -> Path:
    """The file of Borgerblik's agreement."""
    file = tmp_path / "paper.json"
    done = await torv("export", cast.agreements["borgerblik"], file)
    assert done.exit_code == 0, done.output
    return file


def changed(file: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    content = json.loads(file.read_text(encoding="utf-8"))
    change(content)
    (file.parent / "changed.json").write_text(json.dumps(content), encoding="utf-8")
    return file.parent / "changed.json"


# ---- new and check ---------------------------------------------------------------------------------------------------
async def test_what_a_template_leaves_open_is_named_and_ends_with_1(tmp_path: Path) -> None:
    assert (await run("new", "reads-persons", tmp_path / "a.json", *WHO)).exit_code == 0
    done = await run("check", tmp_path / "a.json")
    assert done.exit_code == 1
    assert "Mangler    grants.0.purpose.legal_basis: er tom\n" in done.stdout
    assert "Mangler    data_processing.clauses: er ikke et SHA-256-aftryk på 64 små bogstaver og tal\n" in done.stdout
    assert "grants: er tom" not in done.stdout
    assert done.stdout.endswith("Aftalen kan ikke foreslås endnu: 5 ting skal rettes.\n")


@pytest.mark.parametrize(
    "template", [("reads-persons",), ("keeps-records", "--capability", "notes", "--category", "notes")]
)
async def test_a_filled_in_template_can_be_proposed(tmp_path: Path, clauses: tuple[str, str], template: tuple) -> None:
    kind, *more = template
    assert (await run("new", kind, tmp_path / "a.json", *WHO, *WHY, *clauses, *more)).exit_code == 0
    done = await run("check", tmp_path / "a.json")
    assert done.exit_code == 0
    assert "Vidt åben" in done.stdout
    assert done.stdout.endswith("Aftalen kan foreslås.\n")
    assert (await run("check", tmp_path / "a.json", TORV_LANGUAGE="en")).stdout.endswith("can be proposed.\n")


async def test_a_sub_suppliers_template_shares_grants_of_the_suppliers(
    tmp_path: Path, clauses: tuple[str, str]
) -> None:
    above, below = tmp_path / "above.json", tmp_path / "below.json"
    await run("new", "reads-persons", above, *WHO, *WHY, *clauses)
    sub = ("--above", above, "--partner", "41048786", "--name", "Kystdrift A/S", "--module", "kystkopi")
    done = await run("new", "sub-supplier", below, *sub, "--grant", "7-nothing")
    assert (done.exit_code, done.stderr) == (1, f"torv: {above}: ingen tilladelse hedder 7-nothing\n")
    assert (await run("new", "sub-supplier", below, *sub, "--grant", "1-persons")).exit_code == 0
    assert (await run("check", below)).exit_code == 0
    assert json.loads(below.read_text())["parent"]["partner"] == BORGERBLIK.cvr


async def test_what_is_wrong_only_together_is_said_in_danish(tmp_path: Path) -> None:
    content = content_of(BORGERBLIK)
    content["validity"]["not_after"] = "2020-01-01T00:00:00Z"
    (tmp_path / "a.json").write_text(json.dumps(content))
    assert "Mangler    validity: slutter, før det begynder\n" in (await run("check", tmp_path / "a.json")).stdout


async def test_a_file_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("mine")
    done = await run("new", "reads-persons", tmp_path / "a.json", *WHO)
    assert (done.exit_code, done.stderr) == (1, f"torv: {tmp_path / 'a.json'}: filen findes allerede\n")
    assert (tmp_path / "a.json").read_text() == "mine"


@pytest.mark.parametrize("text", ["hej", '{"a": 1, "a": 2}', "[]", "\x00"])
async def test_what_is_no_agreement_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    done = await run("check", tmp_path / "a.json")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == f"torv: {tmp_path / 'a.json'}: filen er ikke entydig JSON\n"
    assert (await run("verify", tmp_path / "a.json")).exit_code == 1


# ---- verify ----------------------------------------------------------------------------------------------------------
async def test_a_true_file_says_who_signed_with_which_key(paper: Path, cast: Cast, keys: Keys) -> None:
    done = await run("verify", paper)
    assert done.exit_code == 0
    for name, key in (("Fjordby Kommune", keys.signing), (BORGERBLIK.name, cast.partner_keys["borgerblik"])):
        assert any(name in line and fingerprint(key) in line for line in done.stdout.splitlines() if line[0] == "✓")


def _forge(content: dict[str, Any]) -> None:
    content["content"]["grants"][0]["categories"].append("person.cpr")
    content["content"]["data_processing"]["data"].append({"category": "person.cpr", "kind": "cpr"})


def _drop(content: dict[str, Any]) -> None:
    del content["signatures"][1]


def _swap(content: dict[str, Any]) -> None:
    one, two = content["signatures"]
    one["jws"], two["jws"] = two["jws"], one["jws"]


@pytest.mark.parametrize("change", [_forge, _drop, _swap])
async def test_a_file_that_was_changed_is_not_valid(paper: Path, change: Callable[[dict[str, Any]], None]) -> None:
    done = await run("verify", changed(paper, change))
    assert done.exit_code == 1
    assert "✗" in done.stdout
    assert done.stdout.endswith("Aftalen er IKKE gyldigt underskrevet af alle parter.\n")


async def test_only_the_keys_one_knows_count(paper: Path, cast: Cast, keys: Keys, tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours.json", tmp_path / "theirs.json"
    ours.write_text(json.dumps({"keys": [signing.public(keys.signing)]}))
    theirs.write_text(json.dumps({"jwk": signing.public(cast.partner_keys["borgerblik"])}))
    known = ("--keys", f"{MUNICIPALITY}={ours}", "--keys", f"{BORGERBLIK.cvr}={theirs}")
    assert (await run("verify", paper, *known)).exit_code == 0
    stranger = ("--keys", f"{MUNICIPALITY}={ours}", "--keys", f"{BORGERBLIK.cvr}={ours}")
    done = await run("verify", paper, *stranger)
    assert done.exit_code == 1
    assert "underskriften er ikke lavet med en kendt nøgle" in done.stdout
    assert (await run("verify", paper, "--keys", f"{MUNICIPALITY}={ours}")).exit_code == 1
    done = await run("verify", paper, "--keys", str(ours))
    assert (done.exit_code, done.stderr.startswith("torv: --keys skrives CVR=FIL")) == (1, True)


@pytest.mark.parametrize(("kind", "status"), [("notice", 0), ("reject", 1)])
async def test_later_statements_are_told_and_a_rejection_is_no_agreement(
    paper: Path, cast: Cast, kind: Any, status: int
) -> None:
    def add(file: dict[str, Any]) -> None:
        key = cast.partner_keys["borgerblik"]
        file["statements"] = [sign_agreement(file["content"], key=key, signer=BORGERBLIK.cvr, kind=kind)]

    done = await run("verify", changed(paper, add))
    assert done.exit_code == status
    assert f"! {BORGERBLIK.name} har {'opsagt' if kind == 'notice' else 'afvist'} den" in done.stdout


async def test_a_statement_of_somebody_else_makes_a_file_false(paper: Path, cast: Cast) -> None:
    def add(file: dict[str, Any]) -> None:
        key = cast.partner_keys["nordnote"]
        file["statements"] = [sign_agreement(file["content"], key=key, signer=BORGERBLIK.cvr, kind="notice")]

    assert (await run("verify", changed(paper, add))).exit_code == 1


# ---- export, import and list -----------------------------------------------------------------------------------------
async def test_an_agreement_comes_into_another_installation_with_its_signatures(
    torv: Torv, database: Database, cast: Cast, keys: Keys, town: Template, copy_database: CopyDatabase, tmp_path: Path
) -> None:
    content = content_of(BORGERBLIK, id=str(new_id()), title="Borgerblik: endnu en")
    async with database.transaction() as tx:
        agreement = await enter_agreement(tx, cast, content, keys)
    assert (await torv("export", agreement, tmp_path / "a.json")).exit_code == 0
    async with copy_database(town.name) as other:
        done = await torv("import", tmp_path / "a.json", TORV_DATABASE_URL=other)
        assert (done.exit_code, done.stdout) == (0, "Borgerblik: endnu en er taget ind: i kraft.\n")
        again = await torv("import", tmp_path / "a.json", TORV_DATABASE_URL=other)
        assert (again.exit_code, again.stdout) == (1, "")
        assert len(again.stderr.splitlines()) == 1


async def test_a_rejected_or_forged_file_is_not_taken_in(
    torv: Torv, paper: Path, cast: Cast, town: Template, copy_database: CopyDatabase
) -> None:
    def fresh(file: dict[str, Any]) -> None:
        file["content"]["id"] = str(new_id())

    def reject(file: dict[str, Any]) -> None:
        fresh(file)
        key = cast.partner_keys["borgerblik"]
        file["signatures"] = [
            {"signer": BORGERBLIK.cvr, "jws": sign_agreement(file["content"], key=key, signer=BORGERBLIK.cvr)}
        ]
        file["statements"] = [sign_agreement(file["content"], key=key, signer=BORGERBLIK.cvr, kind="reject")]

    async with copy_database(town.name) as other:
        for change in (fresh, reject):
            done = await torv("import", changed(paper, change), TORV_DATABASE_URL=other)
            assert (done.exit_code, done.stdout) == (1, "")
        assert (await torv("list", TORV_DATABASE_URL=other)).stdout.count("\n") == 3


async def test_the_list_says_how_each_stands_and_why(torv: Torv, cast: Cast, database: Database) -> None:
    async with database.transaction() as tx:
        access = cast.user("agreements.suspend", "agreement")
        await happen(tx, access, cast.agreements["kviknote"], EventKind.SUSPEND)
    done = await torv("list")
    assert done.exit_code == 0
    assert done.stdout.count(": i kraft\n") == 2
    assert "Kvik Systemer A/S: kviknote: suspenderet (aftalen er suspenderet)\n" in done.stdout
    assert ": suspended (the agreement is suspended)\n" in (await torv("list", TORV_LANGUAGE="en")).stdout


async def test_an_unknown_agreement_is_one_danish_sentence(torv: Torv, tmp_path: Path) -> None:
    done = await torv("export", new_id(), tmp_path / "a.json")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "torv: Det findes ikke.\n"
    assert not (tmp_path / "a.json").exists()
