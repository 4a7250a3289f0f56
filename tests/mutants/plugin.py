"""A pytest plugin: with --mutant NAME that bug is in the code for the whole run; says who saw it, after how many histories."""

from typing import Any

import pytest
from hypothesis.stateful import RuleBasedStateMachine

from tests.mutants.table import MUTANTS

_seen: dict[str, Any] = {"killer": "", "histories": 0}
_patch = pytest.MonkeyPatch()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--mutant", default="")


def pytest_configure(config: pytest.Config) -> None:
    name = config.getoption("--mutant")
    if name:
        next(m for m in MUTANTS if m.name == name).put_in(_patch)
    begin = RuleBasedStateMachine.__init__

    def counted(self: Any) -> None:
        _seen["histories"] += 1
        begin(self)

    _patch.setattr(RuleBasedStateMachine, "__init__", counted)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.failed and not _seen["killer"]:
        _seen["killer"] = report.nodeid


def pytest_terminal_summary(terminalreporter: Any) -> None:
    terminalreporter.write_line(f"MUTANT\t{_seen['killer']}\t{_seen['histories'] or 1}")


def pytest_unconfigure() -> None:
    _patch.undo()
