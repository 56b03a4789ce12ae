"""KLE as XML: the whole list (KLE-Emneplan), the facets (KLE-Handlingsfacetter) and the lists of KLE REST 1.2.

The parser is the one of the standard library, told to refuse every document type: without one there are no entities, so
neither a file elsewhere nor a bomb of nested entities can be reached. Depth is bounded here, size by the reader.
"""

from dataclasses import dataclass, field
from datetime import date
from xml.parsers import expat

from torv.base.errors import KleFileInvalid
from torv.interfaces.kle import numbering
from torv.kernel.classification import CodeList, NewEdition, NewEntry

DEEPEST = 30  #: elements within elements
#: root element -> the levels it lists in full
_COVERS = {
    "KLE-Emneplan": numbering.SUBJECT_LEVELS,
    "KLE-Handlingsfacetter": numbering.FACET_LEVELS,
    "KLE-Hovedgrupper": frozenset({"main_group"}),
    "KLE-Grupper": frozenset({"group"}),
    "KLE-Emner": frozenset({"subject"}),
}
_LEVELS = {
    "Hovedgruppe": "main_group",
    "Gruppe": "group",
    "Emne": "subject",
    "HandlingsfacetKategori": "facet_category",
    "Handlingsfacet": "facet",
}


@dataclass(slots=True)
class _Open:
    """An entry whose element has begun and not ended."""

    name: str  #: of the element
    line: int
    depth: int
    facts: dict[str, tuple[str, int]] = field(default_factory=dict)  #: element -> text and line


def parse_xml(content: bytes, *, published: date, source: str) -> NewEdition:
    """The edition in the file; `published` holds where the file does not say. Raises KleFileInvalid with the line."""
    reader = _Reader()
    try:
        reader.parser.Parse(content, True)
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code)
        raise KleFileInvalid(
            line=error.lineno, reason=f"not XML ({reason})", reason_da=f"ikke XML ({reason})"
        ) from None
    except (LookupError, ValueError):
        raise KleFileInvalid(line=1, reason="unknown encoding", reason_da="ukendt tegnsæt") from None
    return NewEdition(
        code_list=CodeList.KLE, published=reader.published or published, source=source,
        levels=_COVERS[reader.root], entries=tuple(reader.entries.values()),
    )  # fmt: skip


class _Reader:
    """Takes entries as their elements end."""

    def __init__(self) -> None:
        self.parser = expat.ParserCreate(namespace_separator="}")
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._refuse_doctype
        self.parser.StartElementHandler = self._begin
        self.parser.CharacterDataHandler = self._read
        self.parser.EndElementHandler = self._end
        self.root, self.published = "", None  # type: str, date | None
        self.entries: dict[str, NewEntry] = {}
        self._open: list[_Open] = []
        self._path: list[str] = []
        self._text: list[str] = []

    def _refuse_doctype(self, *_: object) -> None:
        raise self._invalid("a document type is not allowed", "en dokumenttype er ikke tilladt")

    def _begin(self, name: str, _: object) -> None:
        local = name.rpartition("}")[2]
        self._path.append(local)
        if len(self._path) == 1:
            if local not in _COVERS:
                raise self._invalid("it is not a KLE list", "det er ikke en KLE-liste")
            self.root = local
        if len(self._path) > DEEPEST:
            raise self._invalid("elements are nested too deep", "elementerne er for dybt indlejret")
        if local in _LEVELS:
            self._open.append(_Open(local, self.parser.CurrentLineNumber, len(self._path)))
        self._text.clear()

    def _read(self, text: str) -> None:
        self._text.append(text)

    def _end(self, _: str) -> None:
        local, depth = self._path.pop(), len(self._path) + 1
        text, line = "".join(self._text).strip(), self.parser.CurrentLineNumber
        self._text.clear()
        if self._open and depth == self._open[-1].depth:
            self._keep(self._open.pop())
        elif self._open:
            self._open[-1].facts.setdefault(local, (text, line))
        elif local == "UdgivelsesDato":
            self.published = numbering.read_date(text, line)

    def _keep(self, found: _Open) -> None:
        entry = _entry(found)
        if entry.code in self.entries:
            raise KleFileInvalid(
                line=found.line, reason=f"{entry.code} stands twice", reason_da=f"{entry.code} står to gange"
            )
        self.entries[entry.code] = entry

    def _invalid(self, reason: str, reason_da: str) -> KleFileInvalid:
        return KleFileInvalid(line=self.parser.CurrentLineNumber, reason=reason, reason_da=reason_da)


def _entry(found: _Open) -> NewEntry:
    level, missing = _LEVELS[found.name], ("", found.line)
    code = numbering.check_code(level, *found.facts.get(f"{found.name}Nr", missing))
    created, ended = found.facts.get("OprettetDato"), found.facts.get("UdgaaetDato")
    official_id = found.facts.get("UUID")
    return NewEntry(
        code=code, level=level, title=numbering.check_title(*found.facts.get(f"{found.name}Titel", missing)),
        parent=numbering.parent_of(code), valid_from=numbering.read_date(*created) if created else None,
        valid_to=numbering.read_date(*ended) if ended else None,
        official_id=numbering.read_id(*official_id) if official_id else None,
    )  # fmt: skip
