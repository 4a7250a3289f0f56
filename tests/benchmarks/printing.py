"""Documents and exports, each beside the bare library: a notice as PDF, a hundred thousand problems as XLSX. No assertions."""

import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

import typst
import xlsxwriter
from sqlalchemy import func, insert, select

from backend.access.scope import SYSTEM, Actor
from backend.cli import setup
from backend.database import snapshot, transaction
from backend.documents import queries, rendering
from backend.ledgers.sheet import COLUMNS
from backend.ops.apply import submit
from backend.problems.models import Problem
from tests.benchmarks.table import row
from tests.journeys.stage import Stage

RUNS = 5
_WITH_PEAK = """import sys; from backend.cli.main import main; main(sys.argv[1:], standalone_mode=False)
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")))"""
CITY = setup.SAMPLE_USERS[0][3]


def everything(made: Stage, problem: dict[str, Any]) -> list[dict[str, Any]]:
    """On a server that holds 100,000 problems; `problem`: the columns of one more."""
    with made.app.app_context():
        return [_notice(problem), _sheet(made)]


def _notice(problem: dict[str, Any]) -> dict[str, Any]:
    with transaction() as session:
        session.execute(insert(Problem), [problem])
    issuer = Actor("u-city", "city", (CITY,))
    made = submit("document.issue", {"kind": "rectification", "fields": {"demand": "请立即整改（示例）。" * 20}}, issuer, ent=("problem", problem["id"]))
    with snapshot() as session:
        found = queries.get(session, SYSTEM, made.result["document"])
        assert found is not None
        text, digest, at = found.facts, found.digest, found.issued_at
    times = [_timed(lambda: rendering.render(text, digest, at)) for _ in range(RUNS)]
    bare = [_timed(_bare_page) for _ in range(RUNS)]
    whole, limit = statistics.median(times), statistics.median(bare)
    return row("notice as PDF, the first (and again)", f"{times[0]:.3f} s ({whole:.3f})", f"{limit:.3f} s", f"{times[0] / limit:.1f}", "< 0.3 s")


def _bare_page() -> None:
    compiler = typst.Compiler('#set text(font: "Noto Sans CJK SC"); 隐患'.encode(), font_paths=rendering._fonts(), ignore_system_fonts=True)
    compiler.compile(format="pdf", pdf_standards=["a-2b"])


def _sheet(made: Stage) -> dict[str, Any]:
    """In a process of its own, so that its memory can be told: the command, from its start to its end."""
    config = made.app.extensions["config"]
    env = {**os.environ, "HUYUAN_DATA": str(config.data), "HUYUAN_DATABASE_URL": config.database_url, "HUYUAN_WORKER": "off"}
    with tempfile.TemporaryDirectory() as folder:
        node, count = _district()
        command = [sys.executable, "-c", _WITH_PEAK, "export", "problems", "--format", "xlsx", "--node", node, "--out", f"{folder}/problems.xlsx"]
        started = time.perf_counter()
        child = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        took = time.perf_counter() - started
    bare = _timed(_bare_sheet)
    said = f"{took:.1f} s" if child.returncode == 0 else f"failed: {child.returncode}"
    peak = child.stdout.split()[-2] if child.returncode == 0 else "0"
    title = f"XLSX of {count:,} problems of a district, {int(peak) // 1024} MB"
    return row(title, said, f"{bare:.1f} s XlsxWriter", f"{took / bare:.2f}", "< 30 s")


def _district() -> tuple[str, int]:
    """The district whose number of problems is nearest to 100,000, and how many those are: the city may hold ten times as many."""
    with snapshot() as session:
        counts = session.execute(select(Problem.district_id, func.count()).where(Problem.district_id.is_not(None)).group_by(Problem.district_id)).all()
    node, count = min(counts, key=lambda each: abs(each[1] - 100_000))
    return str(node), int(count)


def _bare_sheet() -> None:
    """The library that the server does not use, with texts that are there already."""
    plain = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(io.BytesIO(), plain) as book:
        sheet = book.add_worksheet()
        for n in range(100_000):
            for at in range(len(COLUMNS)):
                sheet.write_string(n, at, "张店区某处（示例）")


def _timed(work: Any) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started

