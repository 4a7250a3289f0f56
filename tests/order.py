"""In which order the files of `make test` are given to its two workers: those that take longest first, so that none of them
is begun when the other worker has nothing left. Which tests there are is not decided here."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parent
LONGEST = (  # by the seconds they took, the longest first; what is not named comes after them
    "protocol/test_real_machine.py", "protocol/test_real_machine_on_postgres.py", "api/test_spoilt.py",
    "backups/test_restore.py", "faults/test_kill_points.py", "backups/test_backup.py", "faults/test_replays.py",
    "journeys/test_back_in_time.py", "faults/test_restarts.py", "faults/test_push_races.py", "doors/test_poke.py",
    "journeys/test_worker.py", "faults/test_locks.py", "faults/test_disk.py", "faults/test_cut_uploads.py",
    "journeys/test_two_databases.py", "faults/test_cli_devices.py", "protocol/test_three_servers.py",
    "problems/test_commute.py", "faults/test_feed_race.py", "backups/test_verify.py", "backups/test_beside_the_door.py",
    "faults/test_storm.py", "doors/test_rescue.py", "pages/test_start_page.py", "problems/test_intents.py",
)  # fmt: skip
_AT = {TESTS / name: n for n, name in enumerate(LONGEST)}


def longest_first(items: Sequence[Any]) -> list[Any]:
    """The same tests; files keep their order among themselves otherwise, and tests theirs within a file."""
    return sorted(items, key=lambda item: _AT.get(item.path, len(LONGEST)))
