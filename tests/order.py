"""In which order the files of `make test` are given to its three workers: those that take longest first, so that none of them
is begun when the others have nothing left. Which tests there are is not decided here."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parent
LONGEST = (  # by the seconds they took, the longest first; what is not named comes after them
    "protocol/test_real_machine.py", "api/test_documents.py", "journeys/test_two_databases.py", "backups/test_backup.py",
    "api/test_spoilt.py", "doors/test_poke.py", "faults/test_restarts.py", "backups/test_restore.py",
    "journeys/test_back_in_time.py", "faults/test_storm.py", "ledgers/test_laws.py", "faults/test_replays.py",
    "faults/test_kill_points.py", "backups/test_verify.py", "faults/test_cli_devices.py", "api/test_custody.py",
    "faults/test_locks.py", "protocol/test_real_machine_on_postgres.py", "faults/test_push_races.py", "rules/test_packs.py",
    "journeys/test_four_hundred_days.py", "journeys/test_worker.py", "api/test_ops.py", "problems/test_commute.py",
    "api/test_exports.py", "api/test_city.py", "pull/test_horizons.py", "api/test_setup_commands.py",
    "problems/test_intents.py", "doors/test_time.py", "faults/test_disk.py", "api/test_conflicts.py",
    "faults/test_thin_line.py", "backups/test_beside_the_door.py", "protocol/test_three_servers.py",
    "faults/test_cut_uploads.py", "pages/test_start_page.py", "doors/test_rescue.py",
    "api/test_posts.py", "api/test_mine.py", "api/test_duties.py", "api/test_handovers.py",
)  # fmt: skip
_AT = {TESTS / name: n for n, name in enumerate(LONGEST)}


def longest_first(items: Sequence[Any]) -> list[Any]:
    """The same tests; files keep their order among themselves otherwise, and tests theirs within a file."""
    return sorted(items, key=lambda item: _AT.get(item.path, len(LONGEST)))
