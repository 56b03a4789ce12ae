"""`torv-sdk certify`: try a contract's rules on a module, and write a signed report."""

import argparse
import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from torv_sdk.client import send_certification
from torv_sdk.extras import contract_named
from torv_sdk.keys import read_key

LEVELS = ("bronze", "silver", "gold")
_SENT = {"da": "Sendt til Torv. Den gælder til {}.", "en": "Sent to Torv. It counts until {}."}


def add_to(commands: Any) -> None:
    """Add the command to the parser's commands."""
    certify = commands.add_parser("certify", help="try a contract's rules on a module; 1 if the level is not reached")
    certify.add_argument("url", help="the module's address")
    certify.add_argument(
        "--contract", required=True, help="the capability, as notes or notes/1; or a contract's folder"
    )
    certify.add_argument("--level", choices=LEVELS, default="bronze", help="how far (default: bronze)")
    certify.add_argument("--start", help="the command that starts the module; needed beyond bronze")
    certify.add_argument(
        "--as-torv", default="http://127.0.0.1:0", help="where the certifier answers as Torv: the TORV_URL of a module "
        "that you start yourself",
    )  # fmt: skip
    certify.add_argument("--torv", help="the command torv, if it is not on the PATH; needed beyond bronze")
    certify.add_argument("--out", type=Path, help="the file for the report")
    certify.add_argument("--key", type=Path, help="the key that signs the report")
    certify.add_argument("--profile", type=Path, help="a municipal profile: its demands are tried as well")
    certify.add_argument("--release", help="the release's id, as Torv registered it; needed to send the report")
    certify.add_argument("--release-version", help="the release's version there; needed to send the report")
    certify.add_argument("--send", metavar="URL", help="the Torv that the signed report is sent to")
    certify.add_argument("--language", choices=("da", "en"), default="da", help="of what is shown (default: da)")
    certify.set_defaults(run=_certify)


def _certify(options: argparse.Namespace) -> tuple[str, int]:
    contract, key = contract_named(options.contract), options.key and read_key(options.key)
    from torv_sdk import certifying  # only now: it needs the extra, and contract_named says so
    from torv_sdk.profiles import Profile

    if options.send and not (key and options.release and options.release_version):
        raise ValueError("--send needs --key, --release and --release-version")

    here, module = urlsplit(options.as_torv), urlsplit(options.url)
    if not (here.hostname and here.scheme == "http" and module.hostname and module.scheme == "http"):
        raise ValueError("addresses are of the form http://127.0.0.1:8500")
    order = certifying.Order(
        url=options.url, contract=contract, level=certifying.Level(options.level), start=options.start,
        torv=options.torv or certifying.program_of_torv(), host=here.hostname, port=here.port or 0,
        profile=options.profile and Profile.read(options.profile, contract), release=options.release,
        release_version=options.release_version,
    )  # fmt: skip
    try:
        report = asyncio.run(certifying.certify(order))
    except (certifying.NoTorv, certifying.Broken) as reason:
        raise ValueError(str(reason)) from None
    signed = report.signed(key)
    if options.out:
        options.out.write_text(json.dumps(signed, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    told, status = report.told(options.language), 0 if report.is_reached else 1
    if not options.send:
        return told, status
    kept = asyncio.run(send_certification(options.send.rstrip("/"), options.release, signed))
    return f"{told}\n{_SENT[options.language].format(kept['expires_at'][:10])}", status
