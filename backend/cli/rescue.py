"""`rescue …`: dumps that devices brought as a last resort. Lists and copies them; never reads one."""

import shutil
from pathlib import Path

import click

from backend.access.scope import SYSTEM
from backend.cli import as_json, show, with_app
from backend.database import snapshot
from backend.errors import NotFound
from backend.sync import queries
from backend.sync.rescue import store


@click.group()
def rescue() -> None:
    """Dumps of devices' databases."""


@rescue.command("list")
@as_json
@with_app
def rescue_list(as_json: bool) -> None:
    """All dumps, whole or not."""
    names = ("id", "device_id", "user_id", "sha256", "size", "offset", "created_at", "done_at")
    with snapshot() as session:
        facts = [{name: getattr(found, name) for name in names} for found in queries.rescues(session, SYSTEM)]
    show(facts, as_json)


@rescue.command("export")
@click.argument("rescue_id")
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="file to write")
@as_json
@with_app
def rescue_export(rescue_id: str, out: Path, as_json: bool) -> None:
    """Copy a whole dump to a file, checked against its SHA-256."""
    with snapshot() as session:
        found = queries.rescue(session, rescue_id)
        if found is None or found.done_at is None:
            raise NotFound(f"no whole dump {rescue_id}")
        sha256 = found.sha256
    source = store().path(sha256)
    if not source.exists() or store().hash_of(source) != sha256:
        raise click.ClickException(f"the file of {rescue_id} is gone or damaged")
    out.touch(mode=0o600)
    shutil.copyfile(source, out)
    show({"rescue": rescue_id, "sha256": sha256, "out": str(out)}, as_json)
