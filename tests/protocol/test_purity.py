"""The package stands alone: no web, no database, no clock, no randomness outside the reference client."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sync_protocol
from sync_protocol.limits import REASONS, STATUSES
from sync_protocol.problems import PROBLEMS

PACKAGE = Path(sync_protocol.__file__).parent
CORE = sorted(PACKAGE.glob("*.py"))
BLOCKED = ("flask", "sqlalchemy", "backend", "werkzeug")
IMPURE = {
    "time",
    "random",
    "secrets",
    "os",
    "socket",
    "http",
    "sqlite3",
    "datetime",
    "pathlib",
    "urllib",
    "uuid",
}


def test_the_package_imports_where_web_and_database_are_blocked() -> None:
    modules = [f"sync_protocol.{path.stem}" for path in CORE if path.stem != "__init__"]
    modules.append("sync_protocol.client.__main__")
    code = (
        f"import sys\nfor name in {BLOCKED!r}: sys.modules[name] = None\n"
        f"import importlib\nfor name in {modules!r}: importlib.import_module(name)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PACKAGE.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", CORE, ids=lambda p: p.stem)
def test_a_core_module_has_no_clock_no_randomness_and_no_files(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not {name.split(".")[0] for name in names} & IMPURE


def test_protocol_md_lists_every_code_status_reason_and_cited_rule() -> None:
    document = PACKAGE.parent / "PROTOCOL.md"
    text = document.read_text(encoding="utf-8")
    for code, problem in PROBLEMS.items():
        assert re.search(rf"^\| {code}\b[^|]*\| {problem.status} \|", text, re.M), code
    for word in (*STATUSES, *REASONS):
        assert f"`{word}`" in text, word
    cited = {
        rule for path in PACKAGE.rglob("*.py") for rule in re.findall(r"\bP\d+\b", path.read_text("utf-8"))
    }
    assert cited <= set(re.findall(r"\*\*(P\d+)\*\*", text))
