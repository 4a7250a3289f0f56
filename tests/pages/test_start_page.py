"""The start page in a real browser, on a running server. Only what a person sees; numbers are checked elsewhere."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.cli.setup import DEMO_PASSWORD
from tests.journeys.stage import Stage, stage

CHROMIUM = Path("/usr/bin/chromium")
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed"),
]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("server")) as made:
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    driver = pytest.importorskip("playwright.sync_api")
    with driver.sync_playwright() as started:
        made = started.chromium.launch(executable_path=str(CHROMIUM), args=ARGS)
        yield made
        made.close()


def signed_in(browser: Any, running: Stage, width: int = 1400, language: str = "zh", login: str = "city") -> tuple[Any, list[str]]:
    """A page at `/` and what its console said."""
    page = browser.new_context(viewport={"width": width, "height": 900}).new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda fault: said.append(str(fault)))
    page.goto(f"{running.server.url}/login?lang={language}")
    page.fill("[name=login]", login)
    page.fill("[name=password]", DEMO_PASSWORD)
    page.press("[name=password]", "Enter")
    page.wait_for_selector("#ledger tbody tr")
    return page, said


def test_the_totals_of_the_table_are_the_sums_of_its_rows(browser: Any, running: Stage) -> None:
    page, _ = signed_in(browser, running)
    rows = page.eval_on_selector_all("#ledger tbody tr", "rs => rs.map(r => [...r.cells].map(c => c.innerText))")
    total = page.eval_on_selector("#ledger tfoot tr", "r => [...r.cells].map(c => c.innerText)")
    assert len(rows) == 8
    for column in (1, 2, 3, 4, 6, 7, 8, 9):
        assert sum(int(row[column]) for row in rows) == int(total[column])


def test_the_browser_reports_no_error_and_no_breach_of_the_content_policy(browser: Any, running: Stage) -> None:
    _, said = signed_in(browser, running)
    assert said == []


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_page_fits_a_phone_and_no_label_covers_another(browser: Any, running: Stage, language: str) -> None:
    page, _ = signed_in(browser, running, width=390, language=language)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    boxes = page.eval_on_selector_all(
        "svg text", "ts => ts.map(t => t.getBoundingClientRect()).map(b => [b.left, b.top, b.right, b.bottom])"
    )
    assert len(boxes) == 8
    for i, a in enumerate(boxes):
        for b in boxes[i + 1 :]:
            assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


def test_a_wrong_password_is_told_in_words(browser: Any, running: Stage) -> None:
    page = browser.new_context().new_page()
    page.goto(f"{running.server.url}/login")
    page.fill("[name=login]", "city")
    page.fill("[name=password]", "not the password")
    page.press("[name=password]", "Enter")
    assert page.inner_text("[role=alert]") == "账号或密码不正确"
