"""Importing a KLE file: read it whole, then hand it to classification in one transaction."""

from datetime import date
from pathlib import Path

from torv.base import clock
from torv.base.access import Access
from torv.base.db import Database
from torv.base.errors import TooLarge
from torv.interfaces.kle.kle_xml import parse_xml
from torv.interfaces.kle.os2kle import parse_os2kle
from torv.kernel.classification import Import, NewEdition, import_edition

LARGEST_FILE = 64_000_000  #: bytes; the whole official list is about 8 million


def read_file(path: Path, *, published: date | None = None) -> NewEdition:
    """The edition in a file, whichever of the formats it has. Raises KleFileInvalid, TooLarge or OSError.

    `published` holds where the file does not say; today, if that is not given either.
    """
    with path.open("rb") as file:
        content = file.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise TooLarge(limit=LARGEST_FILE)
    is_xml = content[:200].lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n\0").startswith(b"<")
    parse = parse_xml if is_xml else parse_os2kle
    return parse(content, published=published or clock.today(), source=path.name)


async def import_file(
    database: Database, access: Access, path: Path, *, published: date | None = None, accepts_endings: bool = False
) -> Import:
    """Import a file and say what changed. Raises EditionRefused or what `read_file` raises."""
    new = read_file(path, published=published)
    async with database.transaction() as tx:
        return await import_edition(tx, access, new=new, accepts_endings=accepts_endings)
