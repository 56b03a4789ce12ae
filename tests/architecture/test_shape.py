"""The house stands as the design says: every slice alike, nothing too big, and doors instead of holes in walls."""

import ast
import re
import sys
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT, SLICES, imports, name_of, of_ours, parsed, python_files

SLICE_FILES = {"__init__.py", "models.py", "queries.sql", "service.py", "api.py", "migrations"}
#: slice -> files it rightly lacks, and why
LACKS: dict[str, tuple[set[str], str]] = {}
SHAPELESS = {"utils", "util", "helpers", "helper", "manager", "managers", "common", "misc", "tools", "lib"}
LARGEST_FILE = 400
LARGEST_MODULE = 120  #: a supplier reads one of ours in a quarter of an hour
LONGEST_FUNCTION = 40

each_slice = pytest.mark.parametrize("folder", SLICES, ids=lambda folder: folder.name)


def test_there_are_slices_to_look_at() -> None:
    assert {"persons", "identity", "records"} <= {folder.name for folder in SLICES}


@each_slice
def test_a_slice_has_the_files_every_slice_has(folder: Path) -> None:
    lacks, _ = LACKS.get(folder.name, (set(), ""))
    assert SLICE_FILES - {path.name for path in folder.iterdir()} == lacks


@each_slice
def test_a_slices_migrations_are_numbered_from_one(folder: Path) -> None:
    names = sorted(path.name for path in (folder / "migrations").glob("*.sql"))
    assert [name.partition("_")[0] for name in names] == [f"{n:04}" for n in range(1, len(names) + 1)]
    assert names or "migrations" in LACKS.get(folder.name, (set(), ""))[0]


@each_slice
def test_a_slices_front_door_says_one_sentence_and_what_it_offers(folder: Path) -> None:
    door = parsed(folder / "__init__.py")
    sentence, _, _ = (ast.get_docstring(door) or "").partition("\n\n")
    assert sentence.lower().removeprefix("the ").startswith(f"{folder.name.replace('_', ' ')}: ")
    assert sentence.endswith(".")
    assert "\n" not in sentence
    offered = offers(folder)
    assert offered == sorted(offered, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    bound = {name for _, names in imports(folder / "__init__.py") for name in names}
    assert set(offered) <= bound


def offers(folder: Path) -> list[str]:
    """What stands in `__all__` of a slice's front door."""
    for node in parsed(folder / "__init__.py").body:
        if isinstance(node, ast.Assign) and [t.id for t in node.targets if isinstance(t, ast.Name)] == ["__all__"]:
            return list(ast.literal_eval(node.value))
    return []


def test_a_slice_is_entered_by_its_front_door_only() -> None:
    doors = {f"torv.{folder.parent.name}.{folder.name}": folder for folder in SLICES}
    found = []
    for path in python_files("torv"):
        for module, names in imports(path):
            door = next((door for door in doors if module == door or module.startswith(f"{door}.")), None)
            if door is None or path.is_relative_to(doors[door]):
                continue
            if module != door or not set(names) <= set(offers(doors[door])):
                found.append(f"{name_of(path)} takes {', '.join(names) or 'all'} from {module}")
    assert found == []


def test_a_module_is_short() -> None:
    sizes = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in python_files("modules")}
    assert len(sizes) >= 2
    assert {name: size for name, size in sizes.items() if size > LARGEST_MODULE} == {}


def test_a_module_imports_the_sdk_and_nothing_else() -> None:
    found = []
    for path in python_files("modules"):
        own = {path.stem, name_of(path).split("/")[1]}
        for module, _ in imports(path):
            root = module.partition(".")[0]
            if root not in {"torv_sdk", *own, *sys.stdlib_module_names}:
                found.append(f"{name_of(path)} imports {module}")
    assert found == []


def test_no_file_is_too_long() -> None:
    long = [path for path in of_ours() if path.suffix in {".py", ".sql"} and lines(path) > LARGEST_FILE]
    assert [f"{name_of(path)}: {lines(path)} lines" for path in long] == []


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_no_function_is_too_long() -> None:
    found = [
        f"{name_of(path)}: {node.name} has {length} lines"
        for path in python_files()
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or 0) - node.lineno + 1) > LONGEST_FUNCTION
    ]
    assert found == []


def test_no_file_has_a_name_that_says_nothing() -> None:
    code = {".py", ".sql", ".sh", ".js"}
    found = [path for path in of_ours() if path.suffix in code and path.stem.lower() in SHAPELESS]
    folders = {
        parent for path in python_files() for parent in path.relative_to(ROOT).parents if parent.name in SHAPELESS
    }
    assert [*map(name_of, found), *map(str, folders)] == []


def test_every_folder_of_tests_is_run_by_make() -> None:
    suites = re.findall(r"(?<=[:,])tests/\w+", (ROOT / "Makefile").read_text(encoding="utf-8"))
    tests = [path for path in python_files("tests") if path.name.startswith("test_")]
    folders = {"/".join(name_of(path).split("/")[:2]) for path in tests}
    assert folders - set(suites) == set()


def test_every_file_of_the_platform_says_what_it_is() -> None:
    silent = [
        name_of(path) for path in python_files("torv", "torv_sdk", "modules") if not ast.get_docstring(parsed(path))
    ]
    assert silent == []
