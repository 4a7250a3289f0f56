"""`sweep …`: open a sweep from a plan, see how far it is. Who sweeps what is decided by the sweeps' rules."""

import json
from pathlib import Path
from typing import Any

import click

from backend.access.scope import SYSTEM
from backend.cli import as_json, show, with_app
from backend.database import snapshot
from backend.errors import Invalid
from backend.ops.apply import submit
from backend.sweeps import queries as sweeps


def read_plan(path: Path) -> dict[str, Any]:
    """A plan {title, programmes, teams} from a JSON file. Raises Invalid where it cannot be read."""
    try:
        plan = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as fault:
        raise Invalid(f"{path.name} cannot be read as JSON: {fault}") from fault
    if not isinstance(plan, dict):
        raise Invalid(f"{path.name} is not a plan: an object with title, programmes and teams")
    return plan


@click.group()
def sweep() -> None:
    """Sweeps, teams, tasks."""


@sweep.command("open")
@click.argument("sweep_id")
@click.argument("plan", type=click.Path(path_type=Path))
@as_json
@with_app
def sweep_open(sweep_id: str, plan: Path, as_json: bool) -> None:
    """Open a sweep from a JSON plan {title, programmes, teams: [{id, name, areas, members}]}."""
    done = submit("sweep.open", read_plan(plan), SYSTEM, ent=("sweep", sweep_id))
    show({"sweep": sweep_id, "status": done.status, **done.result}, as_json)


@sweep.command("show")
@as_json
@with_app
def sweep_show(as_json: bool) -> None:
    """Sweeps and their progress."""
    with snapshot() as session:
        opened = [row.id for row in sweeps.sweeps(session, SYSTEM)]
        facts = {"sweeps": opened, "tasks": sweeps.progress(session, SYSTEM)}
    show(facts, as_json)
