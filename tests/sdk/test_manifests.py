"""What a supplier does with a manifest: find out what is wrong with it, and let files say what it is made of."""

import json
from pathlib import Path

import pytest
import yaml

from torv_sdk.cli import main
from torv_sdk.manifests import read_manifest

CONTACT = {"name": "Vagten", "email": "drift@nordlys.example"}
MANIFEST = {
    "format": "torv-module/1",
    "module": "visits",
    "version": "0.1.0",
    "provides": [{"capability": "notes", "major": 1}],
    "software": {},
    "hosting": [{"country": "DK", "provider": "Nordlys", "role": "operation", "data": ["notes"]}],
    "contacts": {"operations": CONTACT, "security": CONTACT},
}
SBOM = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.6",
    "metadata": {"component": {"name": "visits", "type": "application"}},
    "components": [
        {
            "type": "framework", "group": "org.example", "name": "whole", "version": "2.0",
            "licenses": [{"license": {"id": "MIT"}}, {"expression": "Apache-2.0 OR MPL-2.0"}],
            "components": [{"type": "library", "name": "inner", "version": "1.1", "purl": "pkg:npm/inner@1.1"}],
        },
        {"type": "library", "name": "nameless"},
        {"type": "file", "name": "LICENSE"},
    ],
}  # fmt: skip


@pytest.fixture
def write(tmp_path):
    def written(content=MANIFEST, **files):
        for name, text in files.items():
            (tmp_path / f"{name}.txt").write_text(text, "utf-8")
        (tmp_path / "manifest.yaml").write_text(yaml.safe_dump(content), "utf-8")
        return tmp_path / "manifest.yaml"

    return written


def test_a_manifest_that_is_whole_is_told_in_one_line(write, capsys):
    assert main(["manifest", "check", str(write())]) == 0
    assert capsys.readouterr().out == (
        "visits 0.1.0 can be registered. It provides notes v1, of 0 components, in 1 places.\n"
    )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"colour": "blue"}, "colour"),
        ({"version": "1"}, "/version"),
        ({"provides": [{"capability": "notes", "major": 2, "since": "1.0.0"}]}, "/provides/0/since: is of another"),
        ({"software": {"lock": "nothing.txt"}}, "nothing.txt"),
        ({"software": {"lock": "../manifest.yaml"}}, "/software/lock"),
        ({"software": {"sbom": "lock.txt"}}, "lock.txt"),
        ({"software": {"lock": "empty.txt"}}, "locks nothing"),
    ],
)
def test_what_is_wrong_is_named(write, capsys, changes, told):
    file = write(MANIFEST | changes, lock="{}", empty="# aiohttp\n")
    assert main(["manifest", "check", str(file)]) == 1
    assert told in capsys.readouterr().err


def test_a_sbom_gives_its_components_wherever_they_stand(write):
    software = read_manifest(write(MANIFEST | {"software": {"sbom": "sbom.txt"}}, sbom=json.dumps(SBOM)))["software"]
    assert software["components"] == [
        {"name": "org.example/whole", "version": "2.0", "license": "MIT AND Apache-2.0 OR MPL-2.0"},
        {"name": "inner", "version": "1.1", "purl": "pkg:npm/inner@1.1"},
        {"name": "nameless", "version": "unknown"},
    ]
    [source] = software["sources"]
    assert (source["file"], source["format"], len(source["sha256"])) == ("sbom.txt", "CycloneDX 1.6", 64)
    assert "sbom" not in software


def test_a_lock_file_gives_its_components_beside_those_that_are_listed(write):
    listed = [
        {"name": "Sqlite", "version": "3.45.1"},
        {"name": "aiohttp", "version": "3.14.5", "license": "Apache-2.0"},
    ]
    lock = "# made by uv\naiohttp==3.14.5 \\\n    --hash=sha256:00\nuvicorn[standard]==0.30 ; python_version > '3'\n"
    software = read_manifest(write(MANIFEST | {"software": {"components": listed, "lock": "lock.txt"}}, lock=lock))
    assert software["software"]["components"] == [
        {"name": "Sqlite", "version": "3.45.1"},
        {"name": "aiohttp", "version": "3.14.5", "license": "Apache-2.0", "purl": "pkg:pypi/aiohttp@3.14.5"},
        {"name": "uvicorn", "version": "0.30", "purl": "pkg:pypi/uvicorn@0.30"},
    ]


def test_nothing_is_sent_without_address_and_key(write, capsys):
    options = ["--url", "http://127.0.0.1:9", "--key", "k.pem", "--signer", "48839355"]
    assert main(["register", str(write()), *options]) == 1
    assert "no address and no key" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["nordnote", "kviknote"])
def test_the_suppliers_manifests_can_be_registered(name):
    folder = Path(__file__).parents[2] / "modules" / name
    manifest = read_manifest(folder / "manifest.yaml")
    locked = {each["name"]: each["version"] for each in manifest["software"]["components"]}
    assert f"aiohttp=={locked['aiohttp']} " in (folder / "requirements.lock").read_text("utf-8")
    assert f'version = "{manifest["version"]}"' in (folder / "pyproject.toml").read_text("utf-8")
