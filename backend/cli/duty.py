"""Commands about who answers: gaps. Each reads options, calls one function and prints."""

import click

from backend.access.scope import SYSTEM
from backend.cli import as_json, show, with_app
from backend.database import snapshot
from backend.ledgers.views import today
from backend.responsibility import gaps


@click.group()
def duty() -> None:
    """Who answers (责任): gaps."""


@duty.command("gaps")
@click.option("--node", default=None, help="code of a place; without it the city")
@click.option(
    "--days",
    type=click.IntRange(0, gaps.MOST_DAYS),
    default=gaps.DAYS,
    help="posts that will be vacant within so many days too",
)
@as_json
@with_app
def duty_gaps(node: str | None, days: int, as_json: bool) -> None:
    """Posts that nobody holds, or soon will not, with the open problems that hang on them (责任空白)."""
    with snapshot() as session:
        rows = gaps.report(session, SYSTEM, node, today(), days)
    if as_json:
        return show({"days": days, "rows": rows}, True)
    for row in rows:
        place = f"{gaps.LAYERS_ZH[row['layer']]}\t{row['area_id']}\t{row['department_id']}"
        click.echo(f"{place}\t{row['vacant']}/{row['posts']}\t+{row['soon']}\t{row['missing']}\t{row['open_problems']}")
    return None
