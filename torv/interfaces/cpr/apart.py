"""The process that reads the parts of a large file: `python -m torv.interfaces.cpr.apart`, started by parts.py.

It is told on its standard input what to read and gives part after part on its standard output; it goes on until as much
as a pipe takes is waiting, and ends when nobody is there any more to tell or to give to.
"""

import gc
import pickle
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress

from torv.interfaces.cpr.errors import CprFileChanged
from torv.interfaces.cpr.models import Extract
from torv.interfaces.cpr.parts import Reader, Said


def main() -> None:
    """Read what is asked for."""
    gc.disable()  # what is read is never a ring, and there is much of it
    with suppress(EOFError, BrokenPipeError, KeyboardInterrupt):
        extract, numbers = pickle.load(sys.stdin.buffer)  # noqa: S301 from the process that has started this one
        for said in _said(extract, numbers):
            pickle.dump(said, sys.stdout.buffer, pickle.HIGHEST_PROTOCOL)
            sys.stdout.buffer.flush()


def _said(extract: Extract, numbers: Sequence[int]) -> Iterator[Said]:
    try:
        yield from Reader().parts(extract, numbers)
    except CprFileChanged:
        yield None
    except OSError as error:
        yield error


if __name__ == "__main__":
    main()
