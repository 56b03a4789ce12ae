"""`torv agreement`: begin an agreement from a template, check it, verify it offline, give it out and take it in.

What is found is told in the installation's language; what cannot be used ends the command with status 1.
"""

import hashlib
import json
import sys
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar
from uuid import UUID

import typer

from torv import operating
from torv.acting import act, caught, refuse, told
from torv.base import clock
from torv.base.errors import InvalidInput
from torv.base.settings import read_settings
from torv.base.signing import readable, strict_json
from torv.ecosystem.agreements import (
    STATES_DA,
    Finding,
    LaterStatement,
    Level,
    Listed,
    Parties,
    Verification,
    Why,
    findings_in,
    module_that_keeps_records,
    module_that_reads_persons,
    read_file,
    sub_supplier,
    verify_file,
)

T = TypeVar("T")
commands = typer.Typer(no_args_is_help=True, help="Agreements: begin, check, verify, give out and take in.")
templates = typer.Typer(no_args_is_help=True, help="Write an agreement to edit, narrow by default.")
commands.add_typer(templates, name="new")

LEVELS = {"da": {"missing": "Mangler", "wide": "Vidt åben", "note": "Tænk over"},
          "en": {"missing": "Missing", "wide": "Wide open", "note": "Think of"}}  # fmt: skip
LATER = {"da": {"reject": "har afvist den", "notice": "har opsagt den"},
         "en": {"reject": "has rejected it", "notice": "has given notice"}}  # fmt: skip

NewFile = Annotated[Path, typer.Argument(help="The file that is written; it must not exist.")]
File = Annotated[Path, typer.Argument(help="The agreement's content as JSON, or an agreement file.")]
Ours = Annotated[str, typer.Option(help="The municipality's CVR number.")]
Theirs = Annotated[str, typer.Option(help="The partner's CVR number.")]
Name = Annotated[str, typer.Option(help="The partner's name.")]
Module = Annotated[str, typer.Option(help="The module that is permitted something.")]
Activity = Annotated[str, typer.Option(help="Code of the processing activity in the municipality's register.")]
Law = Annotated[list[str] | None, typer.Option(help="What the processing rests on, such as 'SEL §83'.")]
Purpose = Annotated[str, typer.Option(help="What the data are used for, as citizens read it.")]
Clauses = Annotated[Path | None, typer.Option(help="The standard clauses that apply; their hash is written.")]
Begins = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The first day; today if left out.")]
Months = Annotated[int, typer.Option(min=1, max=120, help="How long it runs.")]


# ---- from templates --------------------------------------------------------------------------------------------------
@templates.command("reads-persons")
def reads_persons(
    file: NewFile, municipality: Ours, partner: Theirs, name: Name, module: Module, activity: Activity = "",
    law: Law = None, purpose: Purpose = "", clauses: Clauses = None, begins: Begins = None, months: Months = 24,
) -> None:  # fmt: skip
    """A module that looks people up, one at a time, and keeps nothing."""
    parties, why = _parties(municipality, partner, name, clauses), _why(activity, law, purpose)
    _write(file, module_that_reads_persons(parties, module, why, begins=_day(begins), months=months))


@templates.command("keeps-records")
def keeps_records(
    file: NewFile, municipality: Ours, partner: Theirs, name: Name, module: Module,
    capability: Annotated[str, typer.Option(help="The capability it provides, such as notes.")],
    category: Annotated[list[str], typer.Option(help="A data category of its records; may stand several times.")],
    activity: Activity = "", law: Law = None, purpose: Purpose = "", clauses: Clauses = None, begins: Begins = None,
    months: Months = 24,
    events: Annotated[bool, typer.Option("--events", help="It also follows and publishes events about them.")] = False,
) -> None:  # fmt: skip
    """A module that provides a capability; its records lie with the municipality."""
    parties, why = _parties(municipality, partner, name, clauses), _why(activity, law, purpose)
    content = module_that_keeps_records(
        parties, module, why, capability, category, begins=_day(begins), months=months, has_events=events
    )
    _write(file, content)


@templates.command("sub-supplier")
def begin_sub_supplier(
    file: NewFile,
    above: Annotated[Path, typer.Option(help="The supplier's own agreement, which this one stands under.")],
    partner: Theirs, name: Name, module: Module,
    grant: Annotated[list[str], typer.Option(help="A grant it shares, by its id; may stand several times.")],
    begins: Begins = None,
) -> None:  # fmt: skip
    """A sub-supplier: some of a supplier's grants, for the sub-supplier's own module."""
    theirs = _content_in(above)
    parties = Parties(municipality=str(theirs.get("municipality")), partner=partner, partner_name=name, clauses="")
    known = {each["id"] for each in theirs.get("grants", [])}
    for each in grant:
        if each not in known:
            refuse(f"{above}: ingen tilladelse hedder {each}", f"{above}: no grant has the id {each}")
    _write(file, sub_supplier(theirs, parties, module, grants=grant, begins=_day(begins)))


def _parties(municipality: str, partner: str, name: str, clauses: Path | None) -> Parties:
    fingerprint = hashlib.sha256(caught(clauses.read_bytes)).hexdigest() if clauses else ""
    return Parties(municipality=municipality, partner=partner, partner_name=name, clauses=fingerprint)


def _why(activity: str, law: Sequence[str] | None, purpose: str) -> Why:
    return Why(activity=activity, legal_basis=law or [], text=purpose)


def _day(begins: datetime | None) -> date:
    return begins.date() if begins else clock.today()


def _write(file: Path, content: dict[str, Any]) -> None:
    with told(), file.open("x", encoding="utf-8") as stream:
        stream.write(json.dumps(content, ensure_ascii=False, indent=2) + "\n")
    _say(f"{file} er skrevet. Ret den, og kør: torv agreement check {file}",
         f"{file} is written. Edit it, and run: torv agreement check {file}")  # fmt: skip


# ---- without a database ----------------------------------------------------------------------------------------------
@commands.command()
def check(file: File) -> None:
    """Tell what an agreement lacks before it can be proposed, and where it permits more than most need."""
    found = findings_in(_content_in(file))
    for each in found:
        _tell(each)
    missing = sum(each.level is Level.MISSING for each in found)
    if missing:
        _say(f"Aftalen kan ikke foreslås endnu: {missing} ting skal rettes.",
             f"The agreement cannot be proposed yet: {missing} to mend.")  # fmt: skip
        sys.exit(1)
    _say("Aftalen kan foreslås.", "The agreement can be proposed.")


@commands.command()
def verify(
    file: Annotated[Path, typer.Argument(help="An agreement file.")],
    keys: Annotated[
        list[str] | None, typer.Option(help="CVR=FILE: the JWK set you know to be that party's; for every party.")
    ] = None,
) -> None:
    """Verify an agreement file, with no database and no network: its hash, and who has signed it with which key."""
    verified = caught(lambda: verify_file(read_file(caught(file.read_bytes)), _trusted(keys) if keys else None))
    typer.echo(f"{verified.content.title}, version {verified.content.version}")
    _say(f"Aftryk (SHA-256): {verified.hash}", f"Hash (SHA-256): {verified.hash}")
    _tell_of_signatures(verified)
    for each in verified.statements:
        _tell_of_statement(each, verified)
    if not keys:
        _say("Nøglerne stod i filen selv: sammenlign fingeraftrykkene med dem, parterne har givet dig.",
             "The keys came with the file: compare their fingerprints with those the parties gave you.")  # fmt: skip
    if not verified.is_complete:
        _say("Aftalen er IKKE gyldigt underskrevet af alle parter.", "The agreement is NOT validly signed by all.")
        sys.exit(1)
    _say("Aftalen er uændret og underskrevet af alle parter.", "The agreement is unchanged and signed by all parties.")
    first, last = verified.content.validity.not_before, verified.content.validity.not_after
    _say(f"Den gælder fra {first:%Y-%m-%d} til {last:%Y-%m-%d}, hvis den ikke er stoppet eller opsagt.",
         f"It holds from {first:%Y-%m-%d} to {last:%Y-%m-%d}, unless it was stopped or notice was given.")  # fmt: skip


def _tell_of_signatures(verified: Verification) -> None:
    for each in verified.parties:
        who = f"{each.name} (CVR {each.cvr})"
        if each.fault is None and each.fingerprint is not None:
            _say(f"✓ {who} har underskrevet {each.signed_at} med nøglen {readable(each.fingerprint)}",
                 f"✓ {who} signed {each.signed_at} with the key {readable(each.fingerprint)}")  # fmt: skip
        else:
            _say(f"✗ {who}: {each.fault_da}", f"✗ {who}: {each.fault}")


def _tell_of_statement(each: LaterStatement, verified: Verification) -> None:
    names = {party.cvr: party.name for party in verified.parties}
    if not each.holds:
        _say("✗ En senere erklæring i filen er ikke en parts.", "✗ A later statement in the file is no party's.")
        return
    language = _language()
    typer.echo(f"! {names.get(each.cvr, each.cvr)} {LATER[language][each.kind]} {each.signed_at}")


def _trusted(keys: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """CVR number -> the keys in its files."""
    trusted: dict[str, list[dict[str, Any]]] = {}
    for each in keys:
        cvr, _, name = each.partition("=")
        if not (cvr.isdigit() and name):
            refuse(f"--keys skrives CVR=FIL, ikke {each}", f"--keys is CVR=FILE, not {each}")
        trusted.setdefault(cvr, []).extend(_keys_in(Path(name)))
    return trusted


def _keys_in(file: Path) -> list[dict[str, Any]]:
    """The keys of a JWK set, of one JWK, or of what `torv-sdk keygen` prints."""
    found = _object_in(file)
    keys = found.get("keys", [found.get("jwk", found)])
    if not (isinstance(keys, list) and keys and all(isinstance(each, dict) for each in keys)):
        refuse(f"{file}: her er ingen nøgler", f"{file}: no keys in it")
    return keys


# ---- with the installation's database --------------------------------------------------------------------------------
@commands.command()
def export(
    agreement: Annotated[UUID, typer.Argument(help="The agreement's id.")],
    file: Annotated[Path, typer.Argument(help="The file that is written; it must not exist.")],
) -> None:
    """Write an agreement with its signatures into one file, which anybody can verify."""
    folder = read_settings().keys_dir
    paper = act(lambda dsn: operating.give_out_agreement(dsn, folder, agreement))
    with told(), file.open("x", encoding="utf-8") as stream:
        stream.write(json.dumps(paper, ensure_ascii=False, indent=1) + "\n")
    _say(f"Aftalen er skrevet til {file}.", f"The agreement is in {file}.")


@commands.command("import")
def take_in(file: Annotated[Path, typer.Argument(help="An agreement file.")]) -> None:
    """Take an agreement file in; its signatures are verified with the keys the installation knows."""
    text, folder = caught(file.read_bytes), read_settings().keys_dir
    agreement = act(lambda dsn: operating.take_in_agreement(dsn, folder, text))
    _say(f"{agreement.title} er taget ind: {STATES_DA[agreement.state]}.", f"{agreement.title}: {agreement.state}.")


@commands.command("list")
def show_all() -> None:
    """Every agreement, how it stands, and why it permits nothing or less."""
    for each in act(operating.all_agreements):
        _tell_of_agreement(each)


def _tell_of_agreement(each: Listed) -> None:
    is_danish = _language() == "da"
    state = STATES_DA[each.state] if is_danish else str(each.state)
    why = "; ".join(reason.text_da if is_danish else reason.text for reason in each.reasons)
    until = f"{each.not_after.astimezone(clock.DENMARK):%Y-%m-%d}"
    typer.echo(f"{each.id}  {until}  {each.title}: {state}{f' ({why})' if why else ''}")


# ---- telling ---------------------------------------------------------------------------------------------------------
def _tell(finding: Finding) -> None:
    language = _language()
    text = finding.text_da if language == "da" else finding.text
    typer.echo(f"{LEVELS[language][finding.level]:<10} {finding.place}: {text}")


def _say(danish: str, english: str) -> None:
    typer.echo(danish if _language() == "da" else english)


def _content_in(file: Path) -> dict[str, Any]:
    """The content of an agreement, whether it stands alone or in an agreement file."""
    found = _object_in(file)
    content = found.get("content") if found.get("format") == "torv-agreement-file/1" else found
    return content if isinstance(content, dict) else {}


def _object_in(file: Path) -> dict[str, Any]:
    text = caught(file.read_bytes)
    try:
        found = strict_json(text)
    except InvalidInput:
        found = None
    if not isinstance(found, dict):
        refuse(f"{file}: filen er ikke entydig JSON", f"{file}: the file is not unambiguous JSON")
    return found


def _language() -> str:
    return read_settings().language
