"""The story can fail: each mechanism of Torv is taken out in turn, and the story must say which promise that breaks."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import torv

PLATFORM = Path(torv.__file__).parent
SLOWEST = 180  #: seconds the story may take, with a mechanism missing and a busy machine


@dataclass(frozen=True, kw_only=True, slots=True)
class Mutant:
    """One exact replacement in one file, and what the story must then say."""

    name: str
    file: str  #: below torv/
    text: str
    instead: str
    broken: frozenset[str]  #: promises of which at least one is seen broken
    reason: str = "$^"  #: or the story cannot be told to its end, for a reason that matches this


def promises(*names: str) -> frozenset[str]:
    return frozenset(names)


ANSWER_FIRST = """\
async def perform(request, rule, verb):
    answered = asyncio.get_running_loop().create_future()

    async def tell(call):
        result = await verb(call)
        if rule.writes and not rule.keeps_own_time and not isinstance(result, errors.TorvError):
            answered.set_result(result if isinstance(result, Answer) else Answer(body=result))
        return result

    request.state.commit = asyncio.create_task(_perform(request, rule, tell))
    await asyncio.wait({request.state.commit, answered}, return_when=asyncio.FIRST_COMPLETED)
    if not answered.done():
        return await request.state.commit
    return Response(to_json(answered.result().body), answered.result().status or 200, media_type="application/json")


async def _perform(request, rule, verb):
"""

MUTANTS = (
    Mutant(
        name="gateways do not wait at a fence",
        file="base/lease.py",
        text="        if not follows_admitted and self._fences and key() in self._fences:\n",
        instead="        if not follows_admitted and self._fences and key() in self._fences and HOLD < 0:\n",
        broken=promises("kald, der slog fejl", "kald, der blev afbrudt"),
        reason="candidate_too_slow",  # it never became quiet, and was forced and compared too late
    ),
    Mutant(
        name="the move does not wait for calls in flight",
        file="ecosystem/moves/driver.py",
        text="        if not await self._drain(move, started):\n",
        instead="        if not started:\n",
        broken=promises("kald, der slog fejl"),
    ),
    Mutant(
        name="followers read in the order of insertion",
        file="kernel/records/queries.sql",
        text=(
            "select s.position as until, v.*\n"
            "from base.v_streams s left join lateral (\n"
            "    select id, capability, type, unit_id, version, person_id, body, encode(digest, 'hex') as digest, "
            "epoch, position, at\n"
            "    from records.versions where capability = :capability and position > :after order by position limit "
            ":size) v on true\n"
        ),
        instead=(
            "select coalesce(max(v.position) over (), 0) as until, v.*\n"
            "from base.v_streams s left join lateral (\n"
            "    select id, capability, type, unit_id, version, person_id, body, encode(digest, 'hex') as digest, "
            "epoch, seq as position, at\n"
            "    from records.versions where capability = :capability and seq > :after order by seq limit "
            ":size) v on true\n"
        ),
        broken=promises("mistet i nordnotes udtræk", "mistet i kviknotes udtræk"),
        reason="records_differ|answers_differ",  # whichever is seen first of what was never read
    ),
    Mutant(
        name="the answer leaves before the commit",
        file="base/http.py",
        text="async def perform(request: Request, rule: Rule, verb: Callable[[Call], Awaitable[Any]]) -> Response:\n",
        instead=ANSWER_FIRST,
        broken=promises("kald, der slog fejl"),
        reason="records_differ|: 40[49] ",  # a module keeps what was then refused; or what was just made is not there
    ),
    Mutant(
        name="the kernel does not ask who holds the capability",
        file="kernel/records/service.py",
        text="    if holder.epoch is None or holder.release_id != access.caller.release_id:\n",
        instead="    if holder.epoch is None:\n",
        broken=promises("sene skrivninger, der blev taget imod"),
    ),
    Mutant(
        name="writes do not stand inside the kernel's fence",
        file="kernel/records/service.py",
        text="    await tx.value(sql.share_fence, capability=new.capability, key=key)\n",
        instead="",
        broken=promises("poster under en afløst tilkobling"),
    ),
    Mutant(
        name="the outcome of a write is not logged",
        file="ecosystem/gateway/carrying.py",
        text=(
            "            await service.finish_call(tx, outgoing, answer)\n"
            "            tx.notes.append(_outcome(outgoing, stamps, answer))\n"
        ),
        instead="            await service.finish_call(tx, outgoing, answer)\n",
        broken=promises("kald uden begge linjer i loggen"),
    ),
    Mutant(
        name="the gateway does not know a call again",
        file="ecosystem/gateway/api.py",
        text="own_key(access.caller, access.service, key)",
        instead="own_key(access.caller, access.service, str(new_id()))",
        broken=promises("noter, der blev til to"),
    ),
    Mutant(
        name="the kernel does not know a write again",
        file="kernel/records/service.py",
        text="    if holder.earlier is not None:\n",
        instead="    if holder.earlier is not None and not key:\n",
        broken=promises("kald, der slog fejl"),
    ),
    Mutant(
        name="nobody is told that an agreement was suspended",
        file="ecosystem/agreements/life.py",
        text="    )  # fmt: skip\n    await lease.raise_generation(tx)\n",
        instead="    )  # fmt: skip\n",
        broken=promises("suspenderet aftale virker efter"),
    ),
)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_story_fails_when(mutant: Mutant, tmp_path: Path) -> None:
    mutate(copy_of_torv(tmp_path), mutant)
    code, told = tell_the_story(tmp_path)
    assert code == 1, told
    ended_early = re.search(r"Fortællingen kunne ikke gennemføres: (.*)", told)
    if ended_early:
        assert re.search(mutant.reason, ended_early[1]), told
    else:
        assert broken_promises(told) & mutant.broken, told


def test_the_story_is_green_in_a_copy_with_everything_in_place(tmp_path: Path) -> None:
    copy_of_torv(tmp_path)
    code, told = tell_the_story(tmp_path)
    assert code == 0, told


def copy_of_torv(folder: Path) -> Path:
    """A torv of links to the real one: Python takes it first when started in `folder`."""
    ignored = shutil.ignore_patterns("__pycache__")
    return Path(shutil.copytree(PLATFORM, folder / "torv", copy_function=os.symlink, ignore=ignored))


def mutate(platform: Path, mutant: Mutant) -> None:
    """Put the changed file in the place of the link. Fails when the text is not there exactly once."""
    file = platform / mutant.file
    original = file.read_text(encoding="utf-8")
    assert original.count(mutant.text) == 1, f"{mutant.name}: what it takes out stands no longer in {mutant.file}"
    file.unlink()
    file.write_text(original.replace(mutant.text, mutant.instead), encoding="utf-8")


def tell_the_story(folder: Path) -> tuple[int, str]:
    """Run the story with the torv in `folder`; gives the exit code and all that was printed."""
    command = [sys.executable, "-m", "torv.cli", "demo", "--story"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TORV_")}
    done = subprocess.run(
        command, cwd=folder, env={**environment, "COLUMNS": "160"}, check=False, timeout=SLOWEST, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return done.returncode, done.stdout


def broken_promises(told: str) -> set[str]:
    """The promises that the table shows as broken."""
    return set(re.findall(r"^│ (.+?) +│.*│ NEJ +│$", told, re.MULTILINE))
