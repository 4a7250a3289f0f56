"""The page of what is mine today in a real browser: fits desk and phone, says no error, the late is marked by words too."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from backend.accounts import queries as accounts
from backend.database import snapshot
from backend.ledgers.views import today
from backend.ops.apply import submit
from backend.problems.models import Problem
from tests.journeys.stage import Stage, checklist, new_id, stage
from tests.pages.test_start_page import browser, pytestmark, signed_in  # noqa: F401 - the fixture and the marks of every browser test


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Some problems of district A, one of them late, and a handover that waits for its signature."""
    from backend.database import transaction  # noqa: PLC0415 - only here

    with stage(tmp_path_factory.mktemp("server")) as made:
        client = made.device("ins1")
        client.sync()
        sites = [s["id"] for s in client.rows("site") if s["id"].startswith("ZB-370303")][:4]
        for n, site in enumerate(sites):
            client.record("inspection.submit", ("inspection", new_id()), checklist(client, site, {code: [] for code in ("A101", "A208", "A213")[: n % 3 + 1]}))
        client.sync()
        client.close()
        with made.app.app_context():
            with transaction() as session:
                found = session.query(Problem).order_by(Problem.number).all()
                for n, problem in enumerate(found):
                    problem.next_actor = "supervisor"
                    problem.clock_on = problem.due_on = today() + timedelta(days=(-3, 0, 4, 20)[n % 4])
                numbers = [p.number for p in found[:3]]
            with snapshot() as session:
                city = accounts.actor_of(accounts.user_by_login(session, "city"))  # type: ignore[arg-type] # the demo's
            slip = {"to": {"area": "370303"}, "due_on": today().isoformat(), "problems": numbers, "demand": "请于期限前整改到位并回复（示例）"}
            submit("handover.issue", slip, city, ent=("handover", new_id()))
        yield made


def opened(browser: Any, running: Stage, width: int, language: str = "zh") -> tuple[Any, list[str]]:  # noqa: F811
    page, said = signed_in(browser, running, width, language, "zhangdian")
    page.goto(f"{running.server.url}/mine?lang={language}")
    page.wait_for_selector("#problems tbody tr")
    return page, said


@pytest.mark.parametrize(("width", "language"), [(1400, "zh"), (390, "zh"), (390, "en")])
def test_it_fits_the_screen_lists_what_waits_and_the_browser_reports_nothing(browser: Any, running: Stage, width: int, language: str) -> None:  # noqa: F811
    page, said = opened(browser, running, width, language)
    assert said == [] and page.evaluate("document.documentElement.scrollWidth") == width
    rows = page.eval_on_selector_all("#problems tbody tr", "rs => rs.map(r => [r.className, r.innerText])")
    assert len(rows) >= 4 and rows[0][0] == "overdue"
    assert all(("Overdue" if language == "en" else "已逾期") in text for kind, text in rows if kind == "overdue")
    act = page.inner_text("#acts tbody tr")
    assert "JBD-" in act and ("Sign" if language == "en" else "签收") in act
    cut = page.eval_on_selector_all("td", "ts => ts.filter(t => t.scrollWidth > t.clientWidth + 1).length")
    assert cut == 0
