"""The measurements in their order. No assertions."""

from pathlib import Path
from typing import Any

from tests.benchmarks import ledgers, printing, pulling, pushing
from tests.journeys.stage import stage


def everything(folder: Path) -> list[dict[str, Any]]:
    """All benchmarks, each on a fresh server."""
    with stage(folder / "server") as made:
        found = [*pulling.everything(made), *ledgers.everything(made), *printing.everything(made, ledgers.one(made))]
    return [*pushing.everything(folder), *found]
