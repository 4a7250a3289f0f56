"""Errors as a browser meets them: a page in its reader's language with the way back; programs are told as before."""

import pytest
from flask.testing import FlaskClient

from backend.app import COOKIE
from tests.cast import World, told

# Nothing here differs between the databases but what they are asked; on PostgreSQL in `make test-full`.
pytestmark = pytest.mark.parametrize("world", ["sqlite", pytest.param("postgres", marks=pytest.mark.slow)], indirect=True)
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"}
ROWS = (
    ("GET", "/nowhere", 404, "未找到", "Not found"),
    ("GET", "/problem/none", 404, "未找到", "Not found"),
    ("POST", "/mine", 405, "不支持的操作", "Method not allowed"),
    ("POST", "/inbox/read", 400, "页面已过期", "The page has expired"),
    ("GET", "/inbox?after=x", 400, "分页游标无效", "The page cursor is not valid"),
)


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize(("method", "path", "status", "zh", "en"), ROWS)
def test_a_browser_is_shown_a_page_with_the_way_back(world: World, method: str, path: str, status: int, zh: str, en: str, language: str) -> None:
    client = world.desk("zhangdian")
    client.set_cookie("lang", language)
    answer = client.open(path, method=method, headers=BROWSER)
    assert answer.status_code == status and answer.mimetype == "text/html"
    assert {"zh": zh, "en": en}[language] in answer.text and 'href="/"' in answer.text
    assert status != 405 or "GET" in answer.headers["Allow"]


@pytest.mark.parametrize(("method", "path", "status", "zh", "en"), ROWS)
@pytest.mark.parametrize("accept", ["", "*/*", "application/json", "application/problem+json", "application/json, text/html;q=0.5"])
def test_a_program_is_told_in_its_own_way(world: World, method: str, path: str, status: int, zh: str, en: str, accept: str) -> None:
    answer = world.desk("zhangdian").open(path, method=method, headers={"Accept": accept} if accept else {})
    assert answer.status_code == status and answer.mimetype == "application/problem+json"


@pytest.mark.parametrize("path", ["/v1/nowhere", "/sync/v1/nowhere", "/v1/map?x=1"])
def test_the_doors_of_machines_never_answer_with_a_page(world: World, path: str) -> None:
    answer = world.desk("zhangdian").get(path, headers=BROWSER)
    assert answer.mimetype == "application/problem+json" and answer.status_code >= 400


def test_who_may_not_and_who_is_nobody_are_shown_a_page_too(world: World) -> None:
    assert world.anonymous().post("/inbox/read", headers=BROWSER).status_code == 401
    answer = world.desk("inspector_a").get("/ledger.csv", headers=BROWSER)
    assert answer.status_code == 403 and "没有权限" in answer.text
    assert told(world.desk("inspector_a").get("/ledger.csv")) == (403, "forbidden")


def test_a_fault_of_ours_is_a_page_that_says_nothing_of_its_cause(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault is put in by hand; everything that answers for it is the server's own."""

    def broken(*_: object) -> None:
        raise RuntimeError("secret of the house")

    monkeypatch.setattr("backend.mine.queries.today_of", broken)
    client = FlaskClient(world.app, world.app.response_class)  # the contract promises no 500: not held against it
    cookie = world.desk("zhangdian").get_cookie(COOKIE)
    assert cookie
    client.set_cookie(COOKIE, cookie.value)
    page = client.get("/mine", headers=BROWSER)
    assert page.status_code == 500 and "服务器内部错误" in page.text and "secret" not in page.text and 'href="/"' in page.text
    assert told(client.get("/mine")) == (500, "internal")
