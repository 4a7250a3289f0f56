"""`python -m tests.journeys.clocked SECONDS_FILE PYTHON -m MODULE …`: run a module of ours with a clock that
a test moves.

The file holds seconds to add to the server's time; it is read at each look at the clock. Nothing else is
changed.
"""

import runpy
import sys
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

from backend.ops import apply


def moved(file: Path) -> type[datetime]:
    """`datetime` whose `now` is as many seconds ahead as the file says."""

    class Moved(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + timedelta(seconds=float(file.read_text() or 0))

    return Moved


if __name__ == "__main__":
    apply.datetime = moved(Path(sys.argv[1]))  # type: ignore[attr-defined] # now_utc is the server's only clock
    module, sys.argv = sys.argv[4], sys.argv[4:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
