"""`torv audit`: verify the log, give out what others can verify, let witnesses keep its heads, take persons out.

What is found is told in the installation's language; a log that does not hold ends the command with status 1.
"""

import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Annotated, TypeVar
from uuid import UUID

import typer
from joserfc.jwk import ECKey

from torv.acting import act, complain, console, refuse, tell, told
from torv.base.access import Access, Caller, CallerKind
from torv.base.db import Database
from torv.base.errors import InvalidInput
from torv.base.ids import new_id
from torv.base.keyring import HeadKeys
from torv.base.settings import read_settings
from torv.base.signing import load_keys
from torv.ecosystem import audit as log
from torv.ecosystem.audit import Checked, Flaw, Hearing, Succession, Trust, Verdict, WitnessHeads

T = TypeVar("T")
commands = typer.Typer(no_args_is_help=True, help="The log that proves itself.")
keys = typer.Typer(no_args_is_help=True, help="The keys that heads of the log are signed with.")
commands.add_typer(keys, name="key")

OPERATOR = Caller(kind=CallerKind.OPERATOR, id=UUID(int=0), name="operator")
WITNESS = "torv-audit.heads"  #: the file, where a witness is a folder

WitnessFile = Annotated[Path, typer.Argument(help="A file, or a folder on another disk, where heads are kept.")]


@commands.command()
def verify(
    file: Annotated[
        Path | None, typer.Argument(help="A bundle or a witness' file; without one, the whole log.")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="A JWK set with the key of the log's heads.")] = None,
    fingerprint: Annotated[str, typer.Option(help="Or the thumbprint (RFC 7638) of any key the log has had.")] = "",
) -> None:
    """Verify the whole log, or, with no database and no network, a bundle or the file of a witness."""
    if file is not None:
        _verify_file(file, key, fingerprint)
        return
    verdict = act(lambda dsn: _with_log(dsn, _verify_log))
    _tell(verdict.flaws)
    facts = f"{verdict.size} entries, {verdict.erased} erased, {verdict.heads} heads, {verdict.breaks} declared breaks"
    tell(f"{facts}: {'all of it holds' if verdict.holds else 'it does not hold'}.")
    sys.exit(0 if verdict.holds else 1)


@commands.command()
def export(
    file: Annotated[Path, typer.Argument(help="The bundle that is written.")],
    first: Annotated[int, typer.Option("--from", min=1, help="Position of the first entry.")],
    last: Annotated[int, typer.Option("--to", min=1, help="Position of the last entry.")],
) -> None:
    """Write entries with all that proves them into a file that anybody can verify. It holds personal data."""

    async def write(database: Database, heads: HeadKeys) -> None:
        draft = file.with_name(f"{file.name}.{os.getpid()}.part")
        try:
            async with database.transaction() as tx:
                with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
                    async for line in log.export_bundle(tx, _permit("export"), heads, first=first, last=last):
                        stream.write(line + "\n")
            draft.replace(file)  # the log says so by now
        finally:
            draft.unlink(missing_ok=True)

    act(lambda dsn: _with_log(dsn, write))
    tell(f"Entries {first} to {last} are in {file}.")


@commands.command()
def witness(place: WitnessFile) -> None:
    """Compare the log with every head that a witness kept, and let it keep the newest one too."""

    async def hear(database: Database, heads: HeadKeys) -> Hearing:
        async with database.reading() as tx:
            heard = await log.hear_witness(tx, heads, known := _read(place))
        if heard.holds:
            async with database.transaction() as tx:
                lines = await log.lines_for_witness(tx, heads, known)
            _append(place, lines)
        return heard

    heard = act(lambda dsn: _with_log(dsn, hear))
    _tell(heard.flaws)
    excused = f", {heard.excused} of them excused by declared breaks" if heard.excused else ""
    tell(
        f"{heard.heads} heads compared{excused}: "
        f"{'all as it was seen; one more is kept' if heard.holds else 'this is not the log that was seen'}."
    )
    sys.exit(0 if heard.holds else 1)


@commands.command("declare-break")
def declare_break(
    reason: Annotated[str, typer.Option(help="Why the log goes on from an older state. Signed, and kept for ever.")],
    witness: Annotated[Path, typer.Option(help="The witness that saw what is lost.")],
) -> None:
    """Declare, after a legitimate restore, which heads were lost, so that the log can go on."""

    async def declare(database: Database, heads: HeadKeys) -> log.DeclaredBreak:
        async with database.transaction() as tx:
            permit = _permit("declare_break")
            return await log.declare_break(tx, permit, heads, heads=_read(witness), reason=reason)

    declared = act(lambda dsn: _with_log(dsn, declare))
    lost = declared.lost_size - declared.kept_size
    tell(f"Break {declared.number} is declared: up to {lost} entries after {declared.kept_size} were lost.")


@commands.command()
def erase(person: Annotated[UUID, typer.Argument(help="Whose entries.")]) -> None:
    """Take a person out of all entries that are older than the retention; the log's proofs still hold."""

    async def take_out(database: Database, _: HeadKeys) -> tuple[int, log.Retention]:
        total, count = 0, 1
        while count:
            async with database.transaction() as tx:
                count = await log.erase_entries(tx, _permit("erase"), person)
                retention = await log.read_retention(tx)
            total += count
        return total, retention

    total, retention = act(lambda dsn: _with_log(dsn, take_out))
    tell(
        f"{total} entries older than {retention.months} months have lost the person ({retention.source}).",
    )  # fmt: skip


@keys.command("rotate")
def rotate_key(
    former_is_lost: Annotated[bool, typer.Option(help="The former key is not there, and cannot sign this.")] = False,
) -> None:
    """Let a new key sign the log's heads from now on; the former one signs that too, and is destroyed."""

    async def rotate(database: Database, heads: HeadKeys) -> Succession:
        async with database.transaction() as tx:
            said = await log.rotate_key(tx, _permit("rotate_key"), heads, former_is_lost=former_is_lost)
        heads.take_up(said.kid)
        return said

    said = act(lambda dsn: _with_log(dsn, rotate))
    by = "itself alone" if said.former_jws is None else f"its predecessor {said.former}, too"
    tell(f"Key {said.number} of the log is {said.kid}, in force since {said.since.isoformat()}; signed by {by}.")


@keys.command("list")
def list_keys() -> None:
    """Every key that the log's heads were signed with, the first one first."""

    async def read(database: Database, _: HeadKeys) -> list[Succession]:
        async with database.reading() as tx:
            return await log.list_successions(tx)

    for each in act(lambda dsn: _with_log(dsn, read)):
        tell(f"{each.number}  {each.kid}  since {each.since.isoformat()}")


# ---- the parts -------------------------------------------------------------------------------------------------------
async def _with_log(dsn: str, verb: Callable[[Database, HeadKeys], Awaitable[T]]) -> T:
    """Do something with the database and the key of the log's heads."""
    heads = load_keys(read_settings().keys_dir).heads
    async with Database.opened(dsn, 2) as database:
        return await verb(database, heads)


async def _verify_log(database: Database, heads: HeadKeys) -> Verdict:
    with console.status("Reading") as status:
        return await log.verify_log(
                database, heads, lambda done, total: status.update(f"{done:,} of {total:,} entries")
            )  # fmt: skip


def _verify_file(file: Path, jwks: Path | None, fingerprint: str) -> None:
    try:
        with told():
            with file.open(encoding="utf-8") as lines:
                is_bundle = lines.read(1) in ("{", "")
            holds = (_verify_bundle if is_bundle else _verify_witness)(file, jwks, fingerprint)
    except UnicodeDecodeError:
        refuse(f"{file}: er ikke en tekstfil", f"{file}: not a text file")
    sys.exit(0 if holds else 1)


def _verify_bundle(file: Path, jwks: Path | None, fingerprint: str) -> bool:
    with file.open(encoding="utf-8") as lines:
        own = log.keys_in(lines.readline()) if jwks is None else []
    with file.open(encoding="utf-8") as lines:
        checked = log.check_bundle(lines, _trusted(own, jwks, fingerprint))
    _tell_of_bundle(checked)
    return checked.holds


def _verify_witness(file: Path, jwks: Path | None, fingerprint: str) -> bool:
    lines = _read(file)
    kept: WitnessHeads = log.check_witness(lines, _trusted(log.keys_kept(lines), jwks, fingerprint))
    sizes = [each.size for each in kept.heads] or [0]
    tell(f"{len(kept.heads)} heads over {min(sizes)} to {max(sizes)} entries, {kept.keys} keys: all of it is signed.")
    return True


def _trusted(own: Sequence[ECKey], jwks: Path | None, fingerprint: str) -> Trust:
    """The keys that may have signed. Without any, tells which keys the file itself names, and goes no further."""
    if jwks is not None:
        return log.trust_in(jwks.read_text(encoding="utf-8"))
    named = {each.thumbprint(): each for each in own}
    if fingerprint not in named:
        raise InvalidInput(
            reason=f"the file names the keys {', '.join(named)}; if the municipality says so too, use --fingerprint"
        )
    return log.trusting(named[fingerprint])


def _tell_of_bundle(checked: Checked) -> None:
    for position in checked.wrong[:20]:
        complain(
            f"Linje {position} er ikke bevist." if _language() == "da" else f"Entry {position} is not proved."
        )  # fmt: skip
    for position in checked.missing[:20]:
        complain(f"Linje {position} mangler." if _language() == "da" else f"Entry {position} is missing.")
    head = checked.head
    tell(
        f"{checked.entries} entries ({checked.erased} erased) of the log {head.log}, under the head of {head.at} over "
        f"{head.size} entries with {head.breaks} declared breaks: {'proved' if checked.holds else 'NOT proved'}."
    )


def _tell(flaws: Sequence[Flaw]) -> None:
    for each in flaws:
        complain(each.danish if _language() == "da" else each.english)


def _language() -> str:
    return read_settings().language


def _permit(operation: str) -> Access:
    return Access(caller=OPERATOR, service="audit", operation=operation, category="trail", request_id=new_id())


# ---- the witness' file -----------------------------------------------------------------------------------------------
def _read(place: Path) -> list[str]:
    """What a witness has kept, line by line; nothing if it is new."""
    file = place / WITNESS if place.is_dir() else place
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return [line for line in lines if line.strip()]


def _append(place: Path, lines: Sequence[str]) -> None:
    """Add lines, durably."""
    file = place / WITNESS if place.is_dir() else place
    with file.open("a", encoding="utf-8") as stream:
        stream.writelines(f"{line}\n" for line in lines)
        stream.flush()
        os.fsync(stream.fileno())
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
