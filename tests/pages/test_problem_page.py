"""A problem's page in a real browser: fits desk and phone, its forms by keyboard alone, a refused one keeps what was typed."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.database import transaction
from backend.problems.models import Problem
from tests import make
from tests.journeys.stage import Stage, checklist, new_id, stage
from tests.pages.test_start_page import browser, signed_in  # noqa: F401 - the fixture of every browser test
from tests.pages.test_start_page import pytestmark as of_browsers

pytestmark = [*of_browsers, pytest.mark.slow]  # fifteen seconds; what the forms do is held by tests/api/test_problem_page.py


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("server")) as made:
        client = made.device("ins1")
        client.sync()
        site = next(s["id"] for s in client.rows("site") if s["id"].startswith("ZB-370303"))
        client.record("inspection.submit", ("inspection", new_id()), checklist(client, site, {"A101": []}))
        client.sync()
        client.close()
        yield made


def opened(browser: Any, running: Stage, width: int, language: str, **columns: Any) -> tuple[Any, list[str]]:  # noqa: F811
    """The page of the problem, which stands as `columns` say, and what the browser's console said."""
    with running.app.app_context(), transaction() as session:
        problem = session.query(Problem).one()
        for name, value in {"state": "assigned", "is_open": True, "grade": "general", "is_candidate_major": False, **columns}.items():
            setattr(problem, name, value)
        number = problem.number
    page, said = signed_in(browser, running, width, language, "zhangdian")
    page.goto(f"{running.server.url}/problem/{number}?lang={language}")
    page.wait_for_selector("#steps details")
    return page, said


def picture(page: Any, name: str) -> None:
    if folder := os.environ.get("HUYUAN_PICTURES"):
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


@pytest.mark.parametrize(("width", "language"), [(1280, "zh"), (390, "zh"), (390, "en")])
def test_the_page_fits_with_every_form_open_and_the_browser_reports_nothing(browser: Any, running: Stage, width: int, language: str) -> None:  # noqa: F811
    page, said = opened(browser, running, width, language, is_candidate_major=True, grade="major")
    picture(page, f"problem-{language}-{width}")
    page.eval_on_selector_all("details", "ds => ds.forEach(d => d.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") == width and said == []
    small = page.eval_on_selector_all("summary, .step button", "es => es.filter(e => e.getBoundingClientRect().height < 44).length")
    unnamed = page.eval_on_selector_all(".step :is(input:not([type=hidden]), select, textarea)", "es => es.filter(e => !e.labels.length).length")
    twice = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id).filter((id, n, all) => all.indexOf(id) !== n)")
    assert (small, unnamed, twice) == (0, 0, [])
    picture(page, f"problem-open-{language}-{width}")


def test_a_step_is_taken_by_keyboard_and_a_refused_one_keeps_what_was_typed(browser: Any, running: Stage, tmp_path: Path) -> None:  # noqa: F811
    page, _ = opened(browser, running, 390, "zh")
    page.focus("[data-action=merge] summary")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("YH-0000")
    page.keyboard.press("Tab")
    page.keyboard.type("同一处（示例）")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-action=merge][open] .wrong")
    assert page.input_value("[data-action=merge] [name=into]") == "YH-0000" and page.input_value("[data-action=merge] [name=note]") == "同一处（示例）"
    assert "没有这个编号" in page.inner_text("[data-action=merge] .wrong")
    picture(page, "problem-refused-390")
    fix = tmp_path / "fix.jpg"
    fix.write_bytes(make.picture(320, 240))
    page.click("[data-action=report_fixed] summary")
    page.set_input_files("[data-action=report_fixed] [type=file]", str(fix))
    page.fill("[data-action=report_fixed] [name=note]", "整改完毕（示例）")
    page.click("[data-action=report_fixed] button")
    page.wait_for_selector("[role=status]")
    assert "已办理" in page.inner_text("[role=status]") and "整改完毕（示例）" in page.inner_text("#history")
    picture(page, "problem-done-390")


def test_a_path_that_does_not_exist_is_a_small_page_with_the_way_back(browser: Any, running: Stage) -> None:  # noqa: F811
    page, _ = opened(browser, running, 390, "zh")
    page.goto(f"{running.server.url}/nowhere")
    assert "未找到" in page.inner_text("#fault") and page.evaluate("document.documentElement.scrollWidth") == 390
    picture(page, "fault-390")
    page.click("#fault a")
    page.wait_for_url(f"{running.server.url}/")
