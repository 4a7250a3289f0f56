"""Runs the benchmarks and prints the table."""

import argparse
import json
import os
import platform
import sys
import tempfile
from pathlib import Path

from tests.benchmarks import measure


def main() -> int:
    """Print name, median, limit measured beside it, ratio, goal."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = measure.everything(Path(folder))
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()}
    if given.json:
        print(json.dumps({"machine": machine, "results": rows}, ensure_ascii=False, indent=2))
        return 0
    print(f"{machine['cores']} cores, Python {machine['python']}, {machine['system']}")
    print(f"{'what':44} {'median':>14} {'limit beside it':>18} {'ratio':>7} {'goal':>12}")
    for row in rows:
        print(f"{row['what']:44} {row['median']:>14} {row['limit']:>18} {row['ratio']:>7} {row['goal']:>12}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
