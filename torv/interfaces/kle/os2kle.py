"""OS2KLE.txt: one subject a line, with weighted keywords. Groups have no lines, so their titles are derived."""

import re
from collections.abc import Iterator
from datetime import date

from torv.base.errors import KleFileInvalid
from torv.interfaces.kle import numbering
from torv.kernel.classification import CodeList, Keyword, NewEdition, NewEntry

_LINE = re.compile(r"KLENummer='([^']*)':KLETitel='(.*)':Keywords\[Weight\]=((?:[^;\[\]]+\[[0-9]{1,6}\];)*)")
_KEYWORD = re.compile(r"([^;\[\]]+)\[([0-9]{1,6})\];")
_GENERAL = re.compile(" i alm(indelighed)?$")  #: what the general subject of a group adds to the group's title


def parse_os2kle(content: bytes, *, published: date, source: str) -> NewEdition:
    """The edition in the file. Raises KleFileInvalid, which names the line."""
    subjects: dict[str, NewEntry] = {}
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").splitlines(), 1):
        if not line.strip():
            continue
        subject = _subject(_decoded(line, number), number)
        if subject.code in subjects:
            raise KleFileInvalid(
                line=number, reason=f"{subject.code} stands twice", reason_da=f"{subject.code} står to gange"
            )
        subjects[subject.code] = subject
    if not subjects:
        raise KleFileInvalid(line=1, reason="the file is empty", reason_da="filen er tom")
    return NewEdition(
        code_list=CodeList.KLE, published=published, source=source, levels=numbering.SUBJECT_LEVELS,
        entries=(*_groups(subjects), *subjects.values()),
    )  # fmt: skip


def _decoded(line: bytes, number: int) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        raise KleFileInvalid(line=number, reason="it is not UTF-8", reason_da="den er ikke UTF-8") from None


def _subject(line: str, number: int) -> NewEntry:
    found = _LINE.fullmatch(line.strip())
    if found is None:
        raise KleFileInvalid(
            line=number, reason="it is not a number, a title and keywords",
            reason_da="den er ikke et nummer, en titel og nøgleord",
        )  # fmt: skip
    code = numbering.check_code("subject", found[1], number)
    pairs = ((text.strip(), int(weight)) for text, weight in _KEYWORD.findall(found[3]))
    keywords = tuple(Keyword(text=text, weight=weight) for text, weight in dict.fromkeys(pairs) if text)
    title = numbering.check_title(found[2], number)
    return NewEntry(code=code, level="subject", title=title, parent=numbering.parent_of(code), keywords=keywords)


def _groups(subjects: dict[str, NewEntry]) -> Iterator[NewEntry]:
    """Main groups and groups, each with the title of its first subject, which is its general one where it has one."""
    for length, level in ((2, "main_group"), (5, "group")):
        first = {code[:length]: code for code in sorted(subjects, reverse=True)}
        for code in sorted(first):
            title = _GENERAL.sub("", subjects[first[code]].title)
            yield NewEntry(
                code=code, level=level, title=title, parent=numbering.parent_of(code), has_derived_title=True
            )
