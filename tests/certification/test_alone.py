"""A supplier's module and the SDK, alone in an empty environment, certified from outside.

Without a network: Torv's two wheels and the module's are built here, and what the module's lock file names comes, in
exactly those versions, from the environment that `make install` filled by the same lock file (with its hashes).
"""

import json
import re
import subprocess
import sys
from importlib.metadata import Distribution
from pathlib import Path

import pytest

from tests.certification.certified import ROOT, free_url
from tests.certification.test_new import wheel
from torv_sdk.certifying import program_of_torv, silver
from torv_sdk.cli import main

LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)


def site_of(environment: Path) -> Path:
    return next(environment.glob("lib/python*/site-packages"))


def locked_in(module: str) -> dict[str, str]:
    return dict(LOCKED.findall((ROOT / "modules" / module / "requirements.lock").read_text("utf-8")))


def only_what_is_locked(place: Path, module: str) -> Path:
    """An empty environment with what the module's lock file names; gives its Python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
    source = site_of(ROOT / "modules" / module / ".venv")
    for name, version in locked_in(module).items():
        [found] = [each for each in Distribution.discover(name=name, path=[str(source)]) if each.version == version]
        for file in found.files or []:
            origin = Path(str(found.locate_file(file)))
            if ".." not in file.parts and origin.is_file():
                (site_of(place) / file).parent.mkdir(parents=True, exist_ok=True)
                (site_of(place) / file).write_bytes(origin.read_bytes())
    return place / "bin" / "python"


def install(place: Path, wheels: list[Path]) -> None:
    options = ["--no-deps", "--no-index", "--target", str(site_of(place))]
    subprocess.run([sys.executable, "-m", "pip", "-qq", "install", *options, *map(str, wheels)], check=True)


def known_to(python: Path) -> dict[str, str]:
    """Every distribution that an environment has, by its own account."""
    program = "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"
    told = subprocess.run([python, "-I", "-c", program], capture_output=True, text=True, check=True)
    return {name.lower().replace("_", "-"): version for name, version in json.loads(told.stdout).items()}


@pytest.mark.parametrize("module", ["nordnote"])
def test_a_module_alone_with_the_sdk_reaches_silver_from_outside(
    module: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.setattr(silver, "LATE_TIME", 1.0)
    sources = [ROOT / "contracts", ROOT / "torv_sdk", ROOT / "modules" / module]
    python = only_what_is_locked(tmp_path / "alone", module)
    install(tmp_path / "alone", [wheel(each, tmp_path / "wheels" / each.name) for each in sources])
    known = known_to(python)
    locked = {name.lower().replace("_", "-"): version for name, version in locked_in(module).items()}
    assert set(known) - set(locked) == {"torv-sdk", "torv-contracts", module}
    assert {name: known[name] for name in locked} == locked
    options = ["--contract", "notes", "--level", "silver", "--torv", str(program_of_torv()), "--language", "en"]
    status = main(["certify", free_url(), *options, "--start", f"{python} -I -c 'import {module}; {module}.main()'"])
    told = capsys.readouterr()
    assert (status, "Level: silver" in told.out) == (0, True), told
