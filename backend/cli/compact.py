"""`compact`: forget old removals of the feed. Nothing is decided here."""

from datetime import timedelta

import click

from backend.cli import show, with_app
from backend.now import now_utc
from backend.sync.compaction import DAYS
from backend.sync.compaction import compact as forget_removals


@click.command("compact")
@click.option("--days", default=DAYS, type=click.IntRange(min=1), show_default=True, help="removals older than this")
@click.option("--json", "as_json", is_flag=True, help="print JSON")
@with_app
def compact(days: int, as_json: bool) -> None:
    """Forget old removals; devices that were away for longer begin these buckets again."""
    show(forget_removals(now_utc() - timedelta(days=days)), as_json)
