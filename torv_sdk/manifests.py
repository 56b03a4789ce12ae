"""Manifests: `torv-sdk manifest check` says what is wrong with one, `torv-sdk register` registers a release by it.

Needs the extra `torv-sdk[contracts]` (jsonschema-rs).
"""

import argparse
import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import yaml
from joserfc.jwk import ECKey

from torv_sdk.canonical import canonical, parse
from torv_sdk.client import KernelClient, register
from torv_sdk.keys import read_key, sign_manifest

#: a line of a requirements file that names one exact version
_LOCKED = re.compile(r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(\[[^\]]*\])?==(?P<version>[^\s;\\]+)", re.MULTILINE)


def add_to(commands: Any) -> None:
    """Add the commands to the parser's commands."""
    manifest = commands.add_parser("manifest", help="a module's manifest").add_subparsers(required=True)
    check = manifest.add_parser("check", help="say what is wrong with a manifest; 1 if anything is")
    check.add_argument("file", type=Path)
    check.set_defaults(run=_check)
    order = commands.add_parser("register", help="register a release by your own key; prints its id as JSON")
    order.add_argument("file", type=Path, help="the manifest")
    order.add_argument("--url", required=True, help="Torv's public address")
    order.add_argument("--key", type=Path, required=True, help="your company's key, enrolled with the municipality")
    order.add_argument("--signer", required=True, help="your CVR number")
    order.add_argument("--address", help="where the release answers; if the manifest does not say")
    order.add_argument("--release-key", type=Path, help="the release's own key; if the manifest does not say")
    order.set_defaults(run=_register)
    end = commands.add_parser("retire", help="take a release of yours out of use for good; not while it is used")
    end.add_argument("release", help="its id")
    end.add_argument("--url", required=True, help="Torv's address")
    end.add_argument("--key", type=Path, required=True, help="the key of one of your releases")
    end.add_argument("--client-id", required=True, help="that release's id")
    end.add_argument("--json", action="store_true", help="everything Torv says, for programs")
    end.set_defaults(run=_retire)


def _check(options: argparse.Namespace) -> str:
    manifest = read_manifest(options.file)
    components, places = len(manifest["software"].get("components", ())), len(manifest["hosting"])
    provided = ", ".join(f"{each['capability']} v{each['major']}" for each in manifest["provides"]) or "nothing"
    named = f"{manifest['module']} {manifest['version']}"
    return f"{named} can be registered. It provides {provided}, of {components} components, in {places} places."


def _register(options: argparse.Namespace) -> str:
    manifest = read_manifest(options.file)
    if options.address:
        manifest["address"] = options.address
    if options.release_key:
        manifest["key"] = read_key(options.release_key).as_dict(private=False)
    if missing := [name for name in ("address", "key") if name not in manifest]:
        raise ValueError(f"the manifest has no {' and no '.join(missing)}: say --address and --release-key")
    answer = asyncio.run(send(manifest, options.url.rstrip("/"), read_key(options.key), options.signer))
    shown = {"release": answer["id"], "module": answer["module_id"], "state": answer["state"]}
    return json.dumps(shown, indent=2)


def _retire(options: argparse.Namespace) -> str:
    release = asyncio.run(retire(UUID(options.release), options.url.rstrip("/"), options.client_id, options.key))
    if options.json:
        return json.dumps(release, ensure_ascii=False, indent=1)
    return f"{release['module_name']} {release['version']} er udgået."


async def retire(release: UUID, url: str, client_id: str, key: Path) -> dict[str, Any]:
    """Take a release of the same partner out of use. Once more changes nothing. Raises KernelRefusal."""
    async with KernelClient(url, client_id, read_key(key)) as torv:
        path = f"/api/v1/releases/{release}/retirement"
        return dict(await torv.post(path, {}, key=f"retire {release}", headers={}))


async def send(manifest: dict[str, Any], url: str, key: ECKey, signer: str) -> Any:
    """Register a release. The same manifest again is the same release. Raises KernelRefusal."""
    return await register(
        url, key, {"manifest": manifest, "jws": sign_manifest(manifest, key=key, signer=signer, audience=url)}
    )


def read_manifest(file: Path) -> dict[str, Any]:
    """A manifest with what the files that it names say. Raises OSError, or ValueError that names everything wrong."""
    try:
        manifest = yaml.safe_load(file.read_text("utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{file} is not YAML: {error}") from None
    _refuse(file, _faults(manifest))
    software = manifest["software"]
    for word, read in (("sbom", _of_sbom), ("lock", _of_lock)):
        if word in software:
            source = file.parent / software.pop(word)
            kind, components = read(source)
            software.setdefault("components", []).extend(components)
            told = {"file": source.name, "format": kind, "sha256": sha256(source.read_bytes()).hexdigest()}
            software.setdefault("sources", []).append(told)
    software["components"] = _once(software.get("components", []))
    _refuse(file, _faults(manifest))
    canonical(manifest)
    return dict(manifest)


def _faults(manifest: Any) -> list[str]:
    try:
        import jsonschema_rs
    except ModuleNotFoundError as missing:
        raise ValueError(f"{missing.name} is not installed: pip install 'torv-sdk[contracts]'") from None
    import torv_contracts
    from torv_contracts import manifests

    validator = jsonschema_rs.Draft202012Validator(torv_contracts.manifest_schema())
    found = [f"{_place(each.instance_path)}: {each.message[:200]}" for each in validator.iter_errors(manifest)]
    return found or [f"{each.place}: {each.reason}" for each in manifests.faults_of(manifest)]


def _place(path: Any) -> str:
    return "/" + "/".join(map(str, path))


def _refuse(file: Path, faults: list[str]) -> None:
    if faults:
        raise ValueError("\n  ".join([f"{file} cannot be registered:", *faults[:20]]))


def _of_sbom(file: Path) -> tuple[str, list[dict[str, str]]]:
    """The components of a CycloneDX document, whatever they stand in; files are left out."""
    document = parse(file.read_bytes())
    version = str(document.get("specVersion", "")) if isinstance(document, dict) else ""
    if not isinstance(document, dict) or document.get("bomFormat") != "CycloneDX" or not version.startswith("1."):
        raise ValueError(f"{file} is not a CycloneDX 1.x document")
    return f"CycloneDX {version}", list(_components(document))


def _components(holder: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    for each in holder.get("components") or ():
        if each.get("type") != "file":
            name = "/".join(filter(None, (each.get("group"), each["name"])))
            known = {
                "name": name, "version": each.get("version") or "unknown", "license": _license(each),
                "purl": each.get("purl"),
            }  # fmt: skip
            yield {word: str(value) for word, value in known.items() if value}
        yield from _components(each)


def _license(component: Mapping[str, Any]) -> str | None:
    """The licences as one expression; None if the document does not say."""
    found = []
    for each in component.get("licenses") or ():
        inner = each.get("license") or {}
        found.append(each.get("expression") or inner.get("id") or inner.get("name"))
    return " AND ".join(str(each) for each in found if each)[:200] or None


def _of_lock(file: Path) -> tuple[str, list[dict[str, str]]]:
    found = [
        {**each.groupdict(), "purl": f"pkg:pypi/{each['name'].lower()}@{each['version']}"}
        for each in _LOCKED.finditer(file.read_text("utf-8"))
    ]
    if not found:
        raise ValueError(f"{file} locks nothing: lines of the form name==version are expected")
    return "requirements", found


def _once(components: list[dict[str, str]]) -> list[dict[str, str]]:
    """Each component in each of its versions once; what says most is kept."""
    best: dict[tuple[str, str], dict[str, str]] = {}
    for each in components:
        name = (each["name"].lower(), each["version"])
        best[name] = {**each, **best.get(name, {})}
    return list(best.values())
