"""Run a command within a time budget: `timed.py NAME SECONDS COMMAND...` prints its time and fails when over."""

import os
import signal
import subprocess
import sys
import time


def main(name: str, budget: int, command: list[str]) -> int:
    began = time.monotonic()
    running = subprocess.Popen(command, start_new_session=True)
    try:
        code = running.wait(timeout=budget)
    except subprocess.TimeoutExpired:
        code = _end(running)
    except KeyboardInterrupt:
        code = _end(running)
    took = time.monotonic() - began
    verdict = "over budget" if took > budget else "ok" if code == 0 else "failed"
    print(f"== {name}: {verdict}, {took:.1f} s of {budget} s", flush=True)
    return code or int(took > budget)


def _end(running: subprocess.Popen[bytes]) -> int:
    """Ask the command to stop, and after ten seconds end it and all it started."""
    running.send_signal(signal.SIGINT)
    try:
        return running.wait(10) or 1
    except subprocess.TimeoutExpired:
        os.killpg(running.pid, signal.SIGKILL)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), sys.argv[3:]))
