"""Why a file from the CPR register is refused. Nothing of its content is ever repeated: it may be a CPR number."""

from dataclasses import dataclass

from torv.base.errors import TorvError
from torv.interfaces.cpr.layouts import Field


@dataclass(frozen=True, kw_only=True, slots=True)
class Flaw:
    """What can be wrong with a file."""

    english: str
    danish: str


NOT_FIRST = Flaw(
    english="a file begins with record 000; this one does not",
    danish="en fil begynder med record 000; det gør denne ikke",
)
NO_END = Flaw(
    english="the file ends without record 999; it is probably truncated",
    danish="filen slutter uden record 999; den er formentlig afkortet",
)
AFTER_END = Flaw(english="something follows record 999", danish="der står noget efter record 999")
COUNTER = Flaw(
    english="the counter does not agree with the number of records in the file",
    danish="tælleren passer ikke med antallet af records i filen",
)
TOO_LONG = Flaw(english="the line is longer than the record", danish="linjen er længere end recorden")
TOO_SHORT = Flaw(
    english="the line is too short to be a record with a CPR number",
    danish="linjen er for kort til at være en record med et personnummer",
)
NOT_A_RECORD = Flaw(
    english="the line does not begin with the three digits of a record",
    danish="linjen begynder ikke med en records tre cifre",
)
ENCODING = Flaw(
    english="the line is not ISO-8859-1 text; the file may have been saved as UTF-8",
    danish="linjen er ikke tekst i ISO-8859-1; filen er måske gemt som UTF-8",
)
NOT_A_DATE = Flaw(english="there is no such date", danish="der er ingen sådan dato")
NOT_DIGITS = Flaw(english="the field must be digits", danish="feltet skal være cifre")
NOT_A_CPR = Flaw(english="that is not a CPR number", danish="det er ikke et personnummer")
STATUS = Flaw(english="the status code is not known", danish="statuskoden kendes ikke")
TWICE = Flaw(english="the person has the record twice", danish="personen har recorden to gange")
NO_PERSON = Flaw(
    english="the person has records in the file, but no record 001",
    danish="personen har records i filen, men ingen record 001",
)
TOO_MUCH = Flaw(
    english="there is far more about one person than there can be",
    danish="der står langt mere om én person, end der kan gøre",
)
FLAWS = {"digits": NOT_DIGITS, "date": NOT_A_DATE, "minute": NOT_A_DATE, "cpr": NOT_A_CPR, "cpr-or-none": NOT_A_CPR}


class CprFileInvalid(TorvError):
    """The CPR file is refused and nothing was imported. Line {line}{at}: {reason}."""

    status, code = 422, "cpr_file_invalid"
    danish = "CPR-filen er afvist, og intet er indlæst. Linje {line}{at_da}: {reason_da}."

    def __init__(self, flaw: Flaw, line: int, record: str | None = None, field: Field | None = None) -> None:
        spot = f", record {record}" if record else ""
        at, at_da = spot, spot
        if field:
            at += f", field {field.name} (position {field.position})"
            at_da += f", felt {field.name} (position {field.position})"
        super().__init__(
            line=line, record=record, field=field.name if field else None,
            at=at, at_da=at_da, reason=flaw.english, reason_da=flaw.danish,
        )  # fmt: skip


class CprFileChanged(TorvError):
    """The CPR file was changed while it was being imported; what was imported so far is whole parts."""

    status, code = 409, "cpr_file_changed"
    danish = "CPR-filen blev ændret, mens den blev indlæst. Det, der nåede ind, er hele dele."


class CprFileOutdated(TorvError):
    """A later extract of the same task is imported already; this one would set people back to what was known before."""

    status, code = 409, "cpr_file_outdated"
    danish = "Et senere udtræk af samme opgave er allerede indlæst. Dette ville sætte borgerne tilbage til før."
