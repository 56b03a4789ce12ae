"""The command `torv-sdk`: what a supplier does by hand."""

import argparse
import asyncio
import json
import sys
from pathlib import Path

from torv_sdk import certifications, creation, manifests, mine
from torv_sdk.canonical import parse
from torv_sdk.client import access_token, enrol
from torv_sdk.keys import ALGORITHMS, KINDS, fingerprint, make_key, read_key, sign_agreement, thumbprint
from torv_sdk.problems import KernelRefusal


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 1 and one sentence on stderr if it cannot be done."""
    options = _parser().parse_args(arguments)
    try:
        done = options.run(options)
    except KernelRefusal as refusal:
        sys.stderr.write(f"torv-sdk: {refusal.document['title']}\n")
        return 1
    except (OSError, ValueError) as error:
        sys.stderr.write(f"torv-sdk: {error}\n")
        return 1
    told, status = done if isinstance(done, tuple) else (done, 0)
    sys.stdout.write(told + "\n")
    return int(status)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="torv-sdk", description="What a supplier does by hand.")
    commands = parser.add_subparsers(required=True)
    keygen = commands.add_parser("keygen", help="make a key; prints its public part and its fingerprint")
    keygen.add_argument("file", type=Path)
    keygen.add_argument("--curve", choices=sorted(ALGORITHMS), default="P-256")
    keygen.set_defaults(run=_keygen)
    enrolment = commands.add_parser("enrol", help="send a key's public part to Torv under a one-time code")
    enrolment.add_argument("--url", required=True, help="Torv's address")
    enrolment.add_argument("--key", type=Path, required=True)
    enrolment.add_argument("--code", required=True, help="as the municipality's contract manager gave it to you")
    enrolment.set_defaults(run=_enrol)
    sign = commands.add_parser("sign", help="accept an agreement, reject it or give notice; prints the signature")
    sign.add_argument("agreement", type=Path, help="the content of the agreement, as JSON")
    sign.add_argument("--key", type=Path, required=True)
    sign.add_argument("--signer", required=True, help="your CVR number")
    sign.add_argument("--kind", choices=KINDS, default="accept", help="what you say about it (default: accept)")
    sign.set_defaults(run=_sign)
    creation.add_to(commands)
    manifests.add_to(commands)
    certifications.add_to(commands)
    mine.add_to(commands)
    token = commands.add_parser("token", help="fetch an access token as a release; prints it")
    token.add_argument("--url", required=True, help="Torv's address")
    token.add_argument("--key", type=Path, required=True, help="the release's key")
    token.add_argument("--client-id", required=True, help="the release's id")
    token.set_defaults(run=_token)
    return parser


def _keygen(options: argparse.Namespace) -> str:
    key = make_key(options.file, options.curve)
    shown = {"jwk": key.as_dict(private=False), "thumbprint": thumbprint(key), "fingerprint": fingerprint(key)}
    return json.dumps(shown, indent=2)


def _enrol(options: argparse.Namespace) -> str:
    """The fingerprint is our own reckoning, not what came back: that is what makes comparing it worth something."""
    key = read_key(options.key)
    answer = asyncio.run(enrol(options.url.rstrip("/"), key, options.code))
    return (
        f"The key was sent for {answer['partner']}. It counts once the contract manager confirms its fingerprint.\n"
        f"Read it aloud to them:\n\n    {fingerprint(key)}"
    )


def _token(options: argparse.Namespace) -> str:
    return asyncio.run(access_token(options.url.rstrip("/"), options.client_id, read_key(options.key)))


def _sign(options: argparse.Namespace) -> str:
    content = parse(options.agreement.read_bytes())
    return sign_agreement(content, key=read_key(options.key), signer=options.signer, kind=options.kind)
