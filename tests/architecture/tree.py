"""The project's tree as the tests of its shape see it."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SLICES = sorted(
    front.parent for floor in ("kernel", "ecosystem") for front in (ROOT / "torv" / floor).glob("*/__init__.py")
)
CODE = ("torv", "torv_sdk", "modules", "contracts", "bench", "tests")


def of_ours() -> list[Path]:
    """Every file of the project: tracked, or new and not ignored; what is installed or built is not ours."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [path for name in sorted(filter(None, listed.split("\0"))) if (path := ROOT / name).is_file()]


def python_files(*folders: str) -> list[Path]:
    return [path for path in of_ours() if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in (folders or CODE)]


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imports(path: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each import of a file as (module, names taken from it); `import a.b` takes no names."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module, tuple(alias.name for alias in node.names)


def name_of(path: Path) -> str:
    """A path as a person would say it: from the root of the project."""
    return path.relative_to(ROOT).as_posix()
