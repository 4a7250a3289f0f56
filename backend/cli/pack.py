"""`pack …`: check, install and list programme packs. What a pack must hold is said by its schema."""

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from backend.access.scope import SYSTEM
from backend.cli import as_json, show, with_app
from backend.database import snapshot
from backend.ops.apply import submit
from backend.packs import shipped_packs
from backend.programmes import queries as programmes
from backend.programmes.packs import BadPack, PackProblem, check_pack, read_pack
from backend.territory import queries as territory

files_argument = click.argument("files", nargs=-1, type=click.Path(path_type=Path))


def install_packs(files: Sequence[Path] = ()) -> list[str]:
    """Install pack files (default: the shipped ones); what is installed already is left out.

    Nothing is installed where one of them is faulty: raises BadPack. Raises Problem where a version is
    installed with other content.
    """
    with snapshot() as session:
        departments = territory.department_ids(session) or None
        there = {(p.programme, p.version): p.digest for p in programmes.installed(session, SYSTEM)}
    packs = [read_pack(path, departments) for path in files or shipped_packs()]
    new = [pack for pack in packs if there.get((pack.programme, pack.version)) != pack.digest]
    for pack in new:
        ent = ("template", f"{pack.programme}:{pack.version}")
        submit("pack.install", {"body": dict(pack.body)}, SYSTEM, ent=ent)
    return [f"{pack.programme} v{pack.version}" for pack in new]


def _tell(problems: Sequence[PackProblem]) -> list[dict[str, str | int | None]]:
    return [{"file": p.path, "line": p.line, "pointer": p.pointer, "reason": p.reason} for p in problems]


@click.group()
def pack() -> None:
    """Programme packs."""


@pack.command("check")
@files_argument
@as_json
def pack_check(files: tuple[Path, ...], as_json: bool) -> None:
    """Check pack files (default: the shipped ones); 1 where one is faulty. Needs no database."""
    paths = files or shipped_packs()
    found = _tell([problem for path in paths for problem in check_pack(path)])
    show({"ok": not found, "packs": len(paths), "problems": found}, as_json)
    sys.exit(1 if found else 0)


@pack.command("install")
@files_argument
@as_json
@with_app
def pack_install(files: tuple[Path, ...], as_json: bool) -> None:
    """Install pack files (default: the shipped ones); one fault in one of them and none is installed."""
    try:
        show({"installed": install_packs(files)}, as_json)
    except BadPack as broken:
        show({"installed": [], "problems": _tell(broken.problems)}, as_json)
        sys.exit(1)


@pack.command("list")
@as_json
@with_app
def pack_list(as_json: bool) -> None:
    """Installed versions."""
    with snapshot() as session:
        rows = programmes.installed(session, SYSTEM)
        facts = [{"programme": p.programme, "version": p.version, "digest": p.digest} for p in rows]
    show(facts, as_json)
