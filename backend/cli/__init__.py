"""The one command line, `python -m backend`: commands are gathered here. No logic beyond reading options and printing."""

import json
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import click
from flask import Flask
from sqlalchemy import inspect
from sqlalchemy.exc import DBAPIError

from backend.errors import Problem

as_json = click.option("--json", "as_json", is_flag=True, help="print JSON")


def show(facts: Any, as_json: bool) -> None:
    """Print facts as JSON, or as lines for people."""
    if as_json or not isinstance(facts, dict):
        click.echo(json.dumps(facts, ensure_ascii=False, indent=2, default=str))
    else:
        for key, value in facts.items():
            click.echo(
                f"{key}: {value if isinstance(value, (str, int, float, bool)) else json.dumps(value, ensure_ascii=False, default=str)}"
            )


def with_app(command: Callable[..., Any]) -> Callable[..., Any]:
    """Run a command inside the app; a Problem is printed and ends with 1."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:
        from backend.app import create_app  # noqa: PLC0415 - `--help` must not open a database

        app = create_app()
        with app.app_context():
            try:
                return command(*args, **kwargs)
            except Problem as problem:
                click.echo(
                    f"{problem.code}: {problem.detail or problem.title()} {list(problem.errors) or ''}",
                    err=True,
                )
                sys.exit(1)
            except DBAPIError as fault:
                click.echo(f"database: {fault.orig}; if it is new, run `python -m backend migrate`", err=True)
                sys.exit(1)

    return run


def is_migrated(app: Flask) -> bool:
    """Whether the database has its tables."""
    from backend.database import db  # noqa: PLC0415

    with app.app_context():
        return inspect(db.engine).has_table("op_log")
