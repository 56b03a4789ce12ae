"""The files that pages need: read once, and served under an address that changes whenever any of them changes."""

import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from torv.base.errors import NotFound
from torv.base.http import Answer

_TYPES = {".woff2": "font/woff2", ".md": "text/plain", ".svg": "image/svg+xml", ".css": "text/css"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Files:
    """All static files of this version of Torv."""

    edition: str  #: hash over names and contents; a part of every address, so that browsers may keep a file for ever
    contents: dict[str, bytes]  #: path below the folder -> content

    def address(self, path: str) -> str:
        """Where a page finds the file. Raises KeyError for a file that does not exist, so that no page can miss one."""
        self.contents[path]
        return f"/static/{self.edition}/{path}"


def read_files(folder: Path) -> Files:
    """The files of a folder and its subfolders."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    contents = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    digest = hashlib.sha256()
    for path, content in contents.items():
        digest.update(f"{path}\0{len(content)}\0".encode() + content)
    return Files(edition=digest.hexdigest()[:16], contents=contents)


FILES = read_files(Path(__file__).with_name("static"))  # once, when the process starts


def answer(edition: str, path: str) -> Answer:
    """A file. Under the address of another edition it is served, but not kept. Raises NotFound."""
    content = FILES.contents.get(path)
    if content is None:
        raise NotFound
    keep = "public, max-age=31536000, immutable" if edition == FILES.edition else "no-cache"
    suffix = Path(path).suffix
    media_type = _TYPES.get(suffix) or mimetypes.guess_type(path)[0] or "application/octet-stream"
    headers = {"cache-control": keep, "x-content-type-options": "nosniff"}
    return Answer(body=content, media_type=media_type, headers=headers)
