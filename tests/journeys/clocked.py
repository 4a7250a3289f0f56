"""`python -m tests.journeys.clocked SECONDS_FILE PYTHON -m MODULE …`: run a module of ours with a clock that
a test moves.

The file holds seconds to add to the server's time; it is read at each look at the clock. Nothing else is
changed.
"""

import runpy
import sys
import time
from pathlib import Path
from types import SimpleNamespace

from backend import now


def moved(file: Path) -> SimpleNamespace:
    """A `time` whose clock is as many seconds ahead as the file says."""
    return SimpleNamespace(time_ns=lambda: time.time_ns() + int(float(file.read_text() or 0) * 1e9))


if __name__ == "__main__":
    assert now.now_utc.__globals__["time"] is time, "the server's only clock is elsewhere"
    now.time = moved(Path(sys.argv[1]))  # type: ignore[attr-defined]
    module, sys.argv = sys.argv[4], sys.argv[4:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
