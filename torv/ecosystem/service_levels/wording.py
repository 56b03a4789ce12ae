"""Wording: a statement as a person reads it, in Danish."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from torv.base.clock import DENMARK
from torv.ecosystem.service_levels.models import LevelStatement

Plain = dict[str, Any]

MONTHS = (
    "januar", "februar", "marts", "april", "maj", "juni", "juli", "august", "september", "oktober", "november",
    "december",
)  # fmt: skip
DAYS = ("mandag", "tirsdag", "onsdag", "torsdag", "fredag", "lørdag", "søndag")
REASONS = {
    "month_over": "måneden er slut", "late_entries": "der er kommet opslag til loggen siden sidste udgave",
    "notice": "noget er varslet eller erklæret siden sidste udgave",
    "terms": "aftalens tid er ændret siden sidste udgave",
    "not_over": "foreløbig: måneden er ikke opgjort endnu",
}  # fmt: skip
METRICS = {
    "availability": ("Oppetid", "mindst", "%"), "response_ms": ("Svartid", "højst", "ms"),
    "error_rate": ("Fejlede kald", "højst", "%"), "outage_minutes": ("Længste udfald", "højst", "minutter"),
}  # fmt: skip
RULES = {
    "caller": "kalderens egen fejl", "agreement": "afvist efter en aftale",
    "move": "tilbageholdt eller afbrudt af en flytning",
    "municipality": "ydelsen var ikke tilkoblet", "platform": "Torv kunne ikke",
    "unknown": "intet udfald i loggen", "other": "ukendt udfald",
    "own_fault": "kommunens eget forhold", "maintenance": "varslet arbejde", "outside_hours": "uden for servicetiden",
}  # fmt: skip


def text_of(statement: LevelStatement) -> str:
    """The statement in plain Danish, line by line; ends with a line break."""
    content = statement.content
    names = {str(each.id): each.name for each in statement.units}
    version = f"Udgave {statement.version}: " if statement.version else ""
    lines = [
        f"Opgørelse af service, {MONTHS[statement.month.month - 1]} {statement.month.year}",
        f"Aftale: {content['title']} ({content['agreement']})",
        f"Leverandør: CVR {content['partner']}",
        _capital(version + REASONS[statement.reason]),
        "", *_lines(content), *_services(content, names), *_notices(content), *_basis(content),
        f"Kontrolsum: {statement.hash}",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def number(text: str | None) -> str:
    """A decimal number as Danes write it."""
    return "-" if text is None else text.replace(".", ",")


def _lines(content: Plain) -> Iterator[str]:
    for each in content["lines"]:
        name, bound, unit = METRICS[each["metric"]]
        share = f" for {each['percentile']} % af kaldene" if each["percentile"] else ""
        kept = {True: "overholdt", False: "IKKE overholdt", None: "ikke målt"}[each["is_kept"]]
        yield f"{name}, {each['service']}: lovet {bound} {number(each['target'])} {unit}{share}"
        yield f"  {_measured(each, unit)}: {kept}"
        yield from _details(each)
        yield ""
    yield f"Bod i alt: {number(content['remedy_percent'])} % af månedens vederlag"
    yield ""


def _measured(line: Plain, unit: str) -> str:
    if line["measured"] is not None:
        return f"Målt {number(line['measured'])} {unit}"
    return "Ingen kald" if line["is_kept"] is None else "Målt: så mange kald fik intet svar, at der ingen tid er"


def _details(line: Plain) -> Iterator[str]:
    minutes, calls = line["minutes"], line["calls"]
    if line["operations"]:
        yield f"  Handlinger: {', '.join(line['operations'])}"
    yield f"  Servicetid: {_hours(line['hours'])}"
    down = f", nede i {minutes['down']}" if "down" in minutes else ""
    yield f"  Minutter: {minutes['own']} i leverandørens tid, {minutes['counted']} talt med{down}"
    yield f"  Kald: {calls['counted']} talt med, {calls['failed']} fejlede"
    for rule, count in line["excluded"].items():
        more = f", {count['minutes']} minutter" if "minutes" in count else ""
        yield f"  Ikke talt med, {RULES[rule]}: {count['calls']} kald{more}"
    if line["remedy_percent"] != "0.0000":
        own = number(line["remedy_percent_of_own_time"])
        yield f"  Bod: {number(line['remedy_percent'])} %, for leverandørens del af måneden {own} %"


def _services(content: Plain, names: Mapping[str, str | None]) -> Iterator[str]:
    for each in content["services"]:
        time = each["time"]
        yield f"{_capital(each['service'])} i alt: {each['calls']} kald i {each['minutes']} minutter"
        yield (
            f"  Tid hos modulet {_seconds(time['module_us'])} s, hos Torv {_seconds(time['torv_us'])} s, "
            f"tilbageholdt {_seconds(time['held_us'])} s"
        )
        for part in each.get("units", ()):
            where = "Resten af kommunen" if part["unit"] is None else names.get(part["unit"]) or part["unit"]
            yield f"  {where}: {part['calls']} kald i {part['minutes']} minutter"
        yield ""


def _notices(content: Plain) -> Iterator[str]:
    kinds = {"maintenance": "Varslet arbejde", "own_fault": "Kommunens eget forhold"}
    for each in content["notices"]:
        told = f"fra {_when(each['begins'])} til {_when(each['ends'])}, meddelt {_when(each['announced_at'])}"
        yield f"{kinds[each['kind']]}, {each['service']}: {told}"
    if content["notices"]:
        yield ""


def _basis(content: Plain) -> Iterator[str]:
    log = content["log"]
    span = f", opslag {log['from']} til {log['to']}" if log["calls"] else ""
    yield f"Grundlag: {log['calls']} kald i loggen{span}"


def _hours(hours: Plain) -> str:
    days = ", ".join(DAYS[each - 1] for each in hours["weekdays"]) if hours["weekdays"] else "alle dage"
    return f"{days} kl. {hours['opens']}-{hours['closes']}" if hours["opens"] else f"{days} hele døgnet"


def _when(instant: str) -> str:
    return datetime.fromisoformat(instant).astimezone(DENMARK).strftime("%d-%m-%Y kl. %H:%M")


def _seconds(micros: int) -> str:
    return number(f"{micros // 1_000_000}.{micros % 1_000_000 // 1_000:03}")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
