"""Processes that read the parts of a large file: `python -m torv.interfaces.cpr.apart PIPE...`, started by parts.py.

It is told on its standard input what to read, and becomes one process for each pipe, for starting costs far more than
that. Each gives part after part into its pipe, goes on until as much as the pipe takes is waiting, and ends when nobody
is there any more to tell or to give to.
"""

import gc
import os
import pickle
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress

from torv.interfaces.cpr.errors import CprFileChanged
from torv.interfaces.cpr.models import Extract
from torv.interfaces.cpr.parts import Said, read_parts


def main() -> None:
    """Read what is asked for."""
    gc.disable()  # what is read is never a ring, and there is much of it
    pipes = [os.fdopen(int(number), "wb") for number in sys.argv[1:]]
    with suppress(EOFError, BrokenPipeError, KeyboardInterrupt, ChildProcessError):
        extract, shares = pickle.load(sys.stdin.buffer)  # noqa: S301 from the process that has started this one
        place = _become(len(pipes))
        for other in pipes[:place] + pipes[place + 1 :]:
            other.close()  # whoever takes from it learns of the end of its process
        for said in _said(extract, shares[place]):
            pickle.dump(said, pipes[place], pickle.HIGHEST_PROTOCOL)
            pipes[place].flush()
        while place == 0:
            os.wait()  # for the others; raises ChildProcessError after the last


def _become(count: int) -> int:
    """Become so many processes; tells each which one it is."""
    return next((place for place in range(1, count) if os.fork() == 0), 0)


def _said(extract: Extract, numbers: Sequence[int]) -> Iterator[Said]:
    try:
        yield from read_parts(extract, numbers)
    except CprFileChanged:
        yield None
    except OSError as error:
        yield error


if __name__ == "__main__":
    main()
