"""Runs every mutant of the table against the tests that claim to see it, and prints who did. Ends with 1 where one survives."""

import argparse
import os
import subprocess
import sys
import time

from tests.mutants.invariants import INVARIANTS
from tests.mutants.table import MUTANTS, Mutant

EXAMPLES = "400"


def hunt(mutant: Mutant) -> tuple[str, str, float]:
    """(test that failed or "", histories played, seconds)."""
    words = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "tests.mutants.plugin", "--mutant", mutant.name, *mutant.tests]
    env = {**os.environ, "HUYUAN_SHRINK": "0", "HUYUAN_EXAMPLES": os.environ.get("HUYUAN_EXAMPLES", EXAMPLES)}
    begun = time.monotonic()
    done = subprocess.run(words, capture_output=True, text=True, env=env, check=False)
    for line in done.stdout.splitlines():
        if line.startswith("MUTANT\t"):
            _, killer, histories = line.split("\t")
            return killer, histories, time.monotonic() - begun
    raise SystemExit(f"{mutant.name}: no verdict\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def main() -> int:
    """Print mutant, invariants, killed by, after how many histories."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants")
    parser.add_argument("names", nargs="*", help="only these")
    given = parser.parse_args()
    chosen = [m for m in MUTANTS if not given.names or m.name in given.names]
    survivors = []
    print(f"{'mutant':44} {'breaks':10} {'killed by':100} {'after':>6} {'s':>6}")
    for mutant in chosen:
        killer, histories, took_s = hunt(mutant)
        survivors += [] if killer else [mutant.name]
        print(f"{mutant.name:44} {' '.join(mutant.breaks):10} {killer or 'SURVIVED':100} {histories:>6} {took_s:>6.1f}", flush=True)
    uncovered = [name for name in INVARIANTS if not any(name in m.breaks for m in MUTANTS)]
    print(f"{len(chosen) - len(survivors)} of {len(chosen)} killed; invariants without a mutant: {', '.join(uncovered) or 'none'}")
    return 1 if survivors or (uncovered and not given.names) else 0


if __name__ == "__main__":
    sys.exit(main())
