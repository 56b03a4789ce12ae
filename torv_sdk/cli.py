"""The command `torv-sdk`: what a supplier does by hand."""

import argparse
import json
import sys
from pathlib import Path

from torv_sdk.canonical import parse
from torv_sdk.keys import make_key, read_key, sign_agreement, thumbprint


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 1 and one sentence on stderr if it cannot be done."""
    options = _parser().parse_args(arguments)
    try:
        sys.stdout.write(options.run(options) + "\n")
    except (OSError, ValueError) as error:
        sys.stderr.write(f"torv-sdk: {error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="torv-sdk", description="What a supplier does by hand.")
    commands = parser.add_subparsers(required=True)
    keygen = commands.add_parser("keygen", help="make a key; prints its public part and its fingerprint")
    keygen.add_argument("file", type=Path)
    keygen.set_defaults(run=_keygen)
    sign = commands.add_parser("sign", help="accept an agreement; prints the signature")
    sign.add_argument("agreement", type=Path, help="the content of the agreement, as JSON")
    sign.add_argument("--key", type=Path, required=True)
    sign.add_argument("--signer", required=True, help="your CVR number")
    sign.set_defaults(run=_sign)
    return parser


def _keygen(options: argparse.Namespace) -> str:
    key = make_key(options.file)
    return json.dumps({"jwk": key.as_dict(private=False), "thumbprint": thumbprint(key)}, indent=2)


def _sign(options: argparse.Namespace) -> str:
    content = parse(options.agreement.read_bytes())
    return sign_agreement(content, key=read_key(options.key), signer=options.signer)
