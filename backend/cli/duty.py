"""Commands about who answers: gaps, and what a proposed rule would change. Each reads options, calls one function and prints."""

from pathlib import Path

import click
import orjson
import yaml
from marshmallow import ValidationError

from backend.access.scope import SYSTEM
from backend.cli import as_json, show, with_app
from backend.database import snapshot
from backend.errors import Invalid, invalid
from backend.ledgers.views import today
from backend.responsibility import duties, gaps
from backend.responsibility.schemas import Preview
from backend.responsibility.views import proposed_rule


@click.group()
def duty() -> None:
    """Who answers (责任): gaps, proposed rules."""


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


@duty.command("preview")
@click.argument("file", type=click.Path(path_type=Path))
@with_app
def duty_preview(file: Path) -> None:
    """Run history again under the rules of a JSON or YAML file {rules: […]}: a line for each problem that would have gone
    elsewhere, the last with the counts by department. Changes nothing."""
    try:
        asked = Preview().load(yaml.safe_load(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, yaml.YAMLError) as fault:
        raise Invalid(f"{file.name} cannot be read: {fault}") from fault
    except ValidationError as fault:
        raise invalid(fault.messages) from fault
    with snapshot() as session:
        for line in duties.preview(session, SYSTEM, [proposed_rule(row) for row in asked["rules"]]):
            click.echo(orjson.dumps(line).decode())
