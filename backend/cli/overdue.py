"""`escalate`: the look at overdue clocks that the worker makes every hour, asked for by hand. What is overdue is not decided here."""

import click

from backend.cli import as_json, show, with_app
from backend.now import now_utc
from backend.ops import overdue


@click.command("escalate")
@as_json
@with_app
def escalate(as_json: bool) -> None:
    """Tell the next level of every problem whose clock has run out. Twice changes nothing."""
    show({"told": overdue.escalate(now_utc())}, as_json)
