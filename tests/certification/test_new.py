"""`torv-sdk new`: what it makes is a module, from whatever contract, in an environment of its own."""

import json
import subprocess
import sys
from importlib.metadata import Distribution, distribution
from pathlib import Path
from shutil import copytree

import pytest
import yaml
from packaging.requirements import Requirement

from tests.certification.certified import ROOT, free_url
from torv_sdk.certifying import verify_report
from torv_sdk.cli import main
from torv_sdk.contracts import Contract
from torv_sdk.creation import make_module
from torv_sdk.keys import make_key, read_key

NOTES = Contract.of("notes", 1)


def test_what_is_made_is_short_and_names_what_the_contract_names(tmp_path) -> None:
    place = make_module("visits", NOTES, tmp_path)
    text = (place / "visits.py").read_text("utf-8")
    assert len(text.splitlines()) <= 120
    assert all(f'@module.operation("{name}")' in text for name in NOTES.operations)
    assert "not_written_yet" not in text
    manifest = yaml.safe_load((place / "manifest.yaml").read_text("utf-8"))
    provided = {"capability": "notes", "major": 1, "since": NOTES.version}
    assert (manifest["module"], manifest["provides"]) == ("visits", [provided])


def another_contract(folder: Path) -> Path:
    """A contract nobody coded for: no person, another kind of answer, and an address with a variable part."""
    place = folder / "aids" / "v3"
    copytree(NOTES.folder, place)
    about = yaml.safe_load((place / "contract.yaml").read_text("utf-8"))
    about |= {"capability": "aids", "major": 3}
    about["operations"] = [
        {"id": "lend_note", "method": "POST", "path": "/loans", "safe": False, "category": "notes"},
        {"id": "read_loan", "method": "GET", "path": "/loans/{loan_id}", "safe": True, "category": "notes"},
        {"id": "end_loan", "method": "DELETE", "path": "/loans/{loan_id}", "safe": False, "category": "notes"},
    ]
    paths = {
        "/loans": {"post": {
            "summary": "Lend an aid",
            "requestBody": {"content": {"application/json": {
                "schema": {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}},
                "example": {"text": "Rollator"},
            }}},
            "responses": {"200": {"content": {"application/json": {"schema": {"type": "object"}}}}},
        }},
        "/loans/{loan_id}": {
            "get": {"responses": {"200": {"content": {"application/json": {"schema": {}}}}}},
            "delete": {"responses": {"200": {"content": {"application/json": {"schema": {}}}}}},
        },
    }  # fmt: skip
    (place / "contract.yaml").write_text(yaml.safe_dump(about), encoding="utf-8")
    (place / "openapi.yaml").write_text(yaml.safe_dump({"openapi": "3.1.0", "paths": paths}), encoding="utf-8")
    return place


def test_another_contract_gives_another_module(tmp_path) -> None:
    contract = Contract(another_contract(tmp_path))
    text = (make_module("lender", contract, tmp_path) / "lender.py").read_text("utf-8")
    compile(text, "lender.py", "exec")
    assert 'Contract.of("aids", 3)' in text
    assert "person_id = None" in text
    assert "status=200" in text
    assert 'memory.find("note", call.uuid("loan_id", call.path["loan_id"]))' in text
    assert '{**record.body, "removed": True}' in text
    assert "not_written_yet" not in text


@pytest.mark.parametrize("name", ["", "x", "Visits", "two words", "../visits", "class", "a" * 41])
def test_a_name_that_is_no_name_makes_nothing(tmp_path, name, capsys) -> None:
    assert main(["new", name, "--contract", "notes", "--into", str(tmp_path)]) == 1
    assert "module's name" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path, capsys) -> None:
    assert main(["new", "visits", "--contract", "notes", "--into", str(tmp_path)]) == 0
    (tmp_path / "visits" / "visits.py").write_text("mine")
    assert main(["new", "visits", "--contract", "notes", "--into", str(tmp_path)]) == 1
    assert (tmp_path / "visits" / "visits.py").read_text() == "mine"
    assert main(["new", "other", "--contract", "nothing/7", "--into", str(tmp_path)]) == 1
    assert "there is no contract nothing/7" in capsys.readouterr().err


def wheel(folder: Path, out: Path) -> Path:
    """A wheel, built as any supplier would, without a network."""
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", str(out)]
    subprocess.run([sys.executable, "-m", "pip", "-qq", "wheel", *options, str(folder)], check=True)
    return max(out.glob("*.whl"), key=lambda each: each.stat().st_mtime_ns)


def needed_by(found: Distribution, extras: set[str], known: set[str]) -> set[str]:
    """The names of the distributions that one declares that it needs, and those that they need."""
    for text in found.requires or []:
        need = Requirement(text)
        if not any(need.marker is None or need.marker.evaluate({"extra": extra}) for extra in (extras or {""})):
            continue
        if need.name.startswith("torv") or need.name in known:
            continue
        known.add(need.name)
        needed_by(distribution(need.name), set(need.extras), known)
    return known


def empty_environment(place: Path, wheels: list[Path]) -> Path:
    """An environment with these wheels, and of everything else only what the SDK declares; gives its Python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
    site = next(place.glob("lib/python*/site-packages"))
    options = ["--no-deps", "--no-index", "--target", str(site)]
    subprocess.run([sys.executable, "-m", "pip", "-qq", "install", *options, *map(str, wheels)], check=True)
    own = next(iter(Distribution.discover(name="torv-sdk", path=[str(site)])))
    for name in needed_by(own, {"", "contracts"}, set()):
        found = distribution(name)
        for file in found.files or []:
            source = Path(str(found.locate_file(file)))
            if ".." not in file.parts and source.is_file():
                (site / file).parent.mkdir(parents=True, exist_ok=True)
                (site / file).write_bytes(source.read_bytes())
    return place / "bin" / "python"


def test_a_new_module_alone_with_the_sdk_reaches_bronze_from_outside(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    made, out = make_module("visits", NOTES, tmp_path / "made"), tmp_path / "wheels"
    sources = [ROOT / "contracts", ROOT / "torv_sdk", made]
    python = empty_environment(tmp_path / "alone", [wheel(each, out / each.name) for each in sources])
    told = subprocess.run([python, "-c", "import torv"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "No module named 'torv'" in told.stderr
    make_key(tmp_path / "certifier.pem")
    options = ["--contract", "notes", "--start", f"{python} -P -m visits", "--out", str(tmp_path / "report.json")]
    monkeypatch.chdir(tmp_path)
    status = main(["certify", free_url(), *options, "--key", str(tmp_path / "certifier.pem")])
    assert status == 0, capsys.readouterr().out
    check_report(json.loads((tmp_path / "report.json").read_text("utf-8")), tmp_path / "certifier.pem")


def check_report(signed, file: Path) -> None:
    report = verify_report(signed, read_key(file))
    assert (report["level"], report["contract"]) == ("bronze", NOTES.hash)
    assert {each["outcome"] for each in report["rules"]} == {"passed"}
    signed["report"]["level"] = "gold"
    with pytest.raises(ValueError, match="another report"):
        verify_report(signed, read_key(file))
