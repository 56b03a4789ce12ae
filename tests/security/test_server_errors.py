"""Whatever is sent, nothing makes Torv fail: every operation is tried with made-up input by an independent program."""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.cast import ANNA
from tests.served import Api

pytestmark = pytest.mark.anyio

EXAMPLES = 8  #: of each operation in each phase
#: what would end the very session the others need, or wait on purpose
LEFT_OUT = "^/api/v1/identity/(sessions|me/|users/.*/(lock|password))|/feed$"


async def test_no_input_leads_to_a_server_error(api: Api, tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("schemathesis")
    signed_in = f"Authorization: Bearer {await api.token(ANNA)}"
    process = await asyncio.create_subprocess_exec(
        str(program), "run", f"{api.url}/openapi.json", "--header", signed_in, "--checks", "not_a_server_error",
        "--phases", "examples,fuzzing", "--max-examples", str(EXAMPLES), "--seed", "1864", "--continue-on-failure",
        "--exclude-path-regex", LEFT_OUT, "--no-color",
        cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()[-6_000:]
    assert (await api.get("/api/v1/partners", by=ANNA)).status == 200  # the session was good to the end
