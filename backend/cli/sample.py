"""`sample draw|show|verify`: random re-inspection. `verify` needs a file and nothing else: no database, no settings."""

import json
import sys
from pathlib import Path

import click
import orjson

from backend.access.scope import SYSTEM
from backend.cli import as_json, show, with_app
from backend.database import snapshot
from backend.errors import NotFound
from backend.ops.apply import submit
from backend.sampling import queries, rules


@click.group()
def sample() -> None:
    """Random re-inspection (双随机)."""


@sample.command("draw")
@click.argument("period")
@click.option("--node", required=True, help="code of a place")
@click.option("--seed", required=True, help="a number that was drawn in public, unknown before")
@click.option("--percent", type=click.IntRange(1, 100), required=True, help="of each district and grade")
@as_json
@with_app
def sample_draw(period: str, node: str, seed: str, percent: int, as_json: bool) -> None:
    """Draw from the problems that were closed in a period."""
    args = {"node": node, "period": period, "seed": seed, "percent": percent}
    show(dict(submit("sample.draw", args, SYSTEM, ent=("sample", node)).result), as_json)


@sample.command("show")
@click.argument("number")
@click.option("--out", type=click.Path(path_type=Path), default=None, help="write it there")
@with_app
def sample_show(number: str, out: Path | None) -> None:
    """The draw as it is published: seed, list, what was drawn (JSON)."""
    with snapshot() as session:
        found = queries.get(session, SYSTEM, number)
        if found is None:
            raise NotFound(f"no draw {number}")
        text = orjson.dumps(orjson.loads(found.content), option=orjson.OPT_INDENT_2).decode()
    click.echo(text) if out is None else out.write_text(text, encoding="utf-8")


@sample.command("verify")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@as_json
def sample_verify(file: Path, as_json: bool) -> None:
    """Whether a published draw is what its seed and list make; 1 where not. Without a database."""
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        found = rules.faults(told)
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        click.echo(f"{file.name} is no published draw: {fault!r}", err=True)
        sys.exit(1)
    show(
        {
            "population": len(told["population"]),
            "drawn": len(told["drawn"]),
            "digest": told["digest"],
            "is_so": not found,
            "faults": found,
        },
        as_json,
    )
    sys.exit(1 if found else 0)
