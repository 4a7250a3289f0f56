"""`city …`: read a city's folder, compare it with the record, load what differs. No row is judged here."""

import sys
from pathlib import Path
from typing import Any

import click

from backend.access.scope import SYSTEM
from backend.accounts import queries as accounts
from backend.cli import as_json, show, with_app
from backend.database import snapshot
from backend.errors import Invalid
from backend.ops.apply import submit
from backend.packs import shipped_city
from backend.territory import queries as territory
from backend.territory.city_files import City, CityFileError, read_city

folder_argument = click.argument("folder", type=click.Path(path_type=Path), required=False)


def load_city(folder: Path) -> dict[str, Any]:
    """Load a city's folder as one op; where nothing differs no op is made and the record does not move.

    Raises CityFileError where the files are faulty, Problem where the rows are refused.
    """
    city = read_city(folder)
    counts = _differing(city)
    facts: dict[str, Any] = {"city": city.id, "status": "noop", "sites": len(city.sites), "changed": counts}
    if any(counts.values()):
        done = submit("city.load", city.body(), SYSTEM, ent=("city", city.id))
        facts |= {"status": "applied", "absent": done.result["absent"]}
    return facts


def _differing(city: City) -> dict[str, int]:
    """Rows that would be written, by part of the city."""
    body = city.body()
    with snapshot() as session:
        try:
            counts = {name: len(made) for name, made in territory.differing(session, body).items()}
            posts, terms = accounts.differing(session, body["posts"], body["holdings"])
            there = territory.version(session)
            is_other = there is not None and there.is_sample != body["sample"]
        except ValueError as fault:
            raise Invalid(str(fault)) from fault
    return {**counts, "posts": len(posts), "holdings": len(terms), **({"sample": 1} if is_other else {})}


def _tell(broken: CityFileError, is_json: bool) -> None:
    """Every fault by file, line and reason; ends with 1."""
    if is_json:
        problems = [{"file": p.file, "line": p.line, "reason": p.reason} for p in broken.problems]
        show({"ok": False, "problems": problems}, True)
    for problem in () if is_json else broken.problems:
        click.echo(str(problem), err=True)
    sys.exit(1)


@click.group()
def city() -> None:
    """Districts, townships, sites, departments, posts."""


@city.command("load")
@folder_argument
@as_json
@with_app
def city_load(folder: Path | None, as_json: bool) -> None:
    """Load a city's folder (default: the shipped Zibo). Twice changes nothing; a faulty row loads nothing."""
    try:
        show(load_city(folder or shipped_city()), as_json)
    except CityFileError as broken:
        _tell(broken, as_json)


@city.command("check")
@folder_argument
@as_json
def city_check(folder: Path | None, as_json: bool) -> None:
    """Read a city's folder without loading it; 1 where a row is faulty. Needs no database."""
    try:
        read = read_city(folder or shipped_city())
    except CityFileError as broken:
        _tell(broken, as_json)
        return
    parts = {name: len(rows) for name, rows in read.body().items() if isinstance(rows, list)}
    show({"ok": True, "city": read.id, **parts}, as_json)


@city.command("show")
@as_json
@with_app
def city_show(as_json: bool) -> None:
    """What is loaded."""
    with snapshot() as session:
        facts = {"city": territory.city_id(session), "sites": territory.counts(session, SYSTEM)}
    show(facts, as_json)
