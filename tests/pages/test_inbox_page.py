"""The inbox in a real browser: the bell's number, what a line says, one button, on a phone, in both languages."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert

from backend.database import transaction
from backend.notices import fanout
from backend.notices.models import Notice, NoticeFact
from backend.now import now_utc
from tests.journeys.stage import Stage, stage
from tests.pages.test_start_page import CHROMIUM, browser, signed_in

__all__ = ["browser"]
pytestmark = [pytest.mark.browser, pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed")]
KINDS = ("sweep.opened", "device.silent", "op.parked", "device.silent")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("server")) as made:
        yield made


@pytest.fixture
def running(served: Stage) -> Stage:
    """With three unread lines, whatever was read before."""
    with served.app.app_context():
        with transaction() as session:
            session.execute(delete(Notice))
            for n, kind in enumerate(KINDS):
                row = {"id": f"{n:04d}", "kind": kind, "ent_type": "x", "ent_id": f"d{n // 2}", "area_path": "370300/370303", "by_id": "", "at": now_utc()}
                session.execute(insert(NoticeFact).values({**row, "data": {"device": f"终端（示例）{n // 2}"}}))
        fanout.deliver(now_utc())
    return served


@pytest.mark.parametrize(("language", "width"), [("zh", 1400), ("en", 390), ("zh", 390)])
def test_the_bell_counts_and_the_page_lists_and_fits(browser: Any, running: Stage, language: str, width: int) -> None:
    page, said = signed_in(browser, running, width, language)
    assert page.inner_text("#bell b") == "3"
    page.click("#bell")
    page.wait_for_selector("#notices tbody tr.unread")
    assert page.evaluate("document.documentElement.scrollWidth") == width and said == []
    assert page.eval_on_selector_all("#notices tbody tr", "rs => rs.length") == 3
    assert ("终端长时间未联系" if language == "zh" else "A device has not been heard of") in page.inner_text("#notices")
    if folder := os.environ.get("HUYUAN_PICTURES"):
        page.screenshot(path=str(Path(folder) / f"inbox-{language}-{width}.png"))


def test_one_button_marks_all_as_read_and_the_number_is_gone(browser: Any, running: Stage) -> None:
    page, _ = signed_in(browser, running)
    page.click("#bell")
    page.click("#notices button")
    page.wait_for_selector("#notices tbody tr:not(.unread)")
    assert page.eval_on_selector_all("#notices tr.unread, #bell b", "rs => rs.length") == 0
