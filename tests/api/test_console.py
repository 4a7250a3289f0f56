"""The pages' doors: sign-in, start page, sign-out. What a person sees of them is tests/pages'."""

import re
from typing import Any

import pytest
from sqlalchemy import func, select, update

from backend.accounts.models import User, WebSession
from backend.cli.setup import DEMO_PASSWORD
from tests import make
from tests.cast import CAST, World, told


def sign_in(world: World, login: str, password: str, **headers: str) -> Any:
    client = world.anonymous()
    answer = client.post("/login", data={"login": login, "password": password}, headers=headers)
    return client, answer


@pytest.mark.answers("console.login_page", 200)
def test_the_sign_in_page_speaks_both_languages(world: World) -> None:
    client = world.anonymous()
    assert "登录" in client.get("/login").text and "Sign in" in client.get("/login?lang=en").text


@pytest.mark.parametrize("login", sorted(CAST))
@pytest.mark.answers("console.login", 302)
@pytest.mark.answers("console.start", 200)
def test_everybody_of_the_cast_signs_in_and_has_a_start_page(world: World, login: str) -> None:
    client, answer = sign_in(world, login, DEMO_PASSWORD)
    assert answer.headers["Location"] == "/"
    page = client.get("/")
    assert CAST[login].name in page.text
    is_field = CAST[login].role in ("inspector", "expert")
    assert ("请使用手持终端" in page.text) == is_field


@pytest.mark.parametrize(("login", "password"), [
    ("city", "wrong"), ("nobody", DEMO_PASSWORD), ("", ""), ("city", "p" * 200_000), ("c" * 5000, "x"), ("city\0", "x"), ("' OR 1=1 --", "x"),
])  # fmt: skip
@pytest.mark.answers("console.login", 401)
def test_a_wrong_name_and_a_wrong_password_are_told_alike(world: World, login: str, password: str) -> None:
    client, answer = sign_in(world, login, password)
    assert answer.status_code == 401 and "账号或密码不正确" in answer.text
    assert client.get("/").status_code == 302


def test_who_has_left_signs_in_no_more_and_is_signed_out_where_they_were(world: World) -> None:
    client, _ = sign_in(world, "auditor", DEMO_PASSWORD)
    world.change(update(User).where(User.id == "u-auditor").values(is_active=False))
    try:
        assert client.get("/").status_code == 302
        assert sign_in(world, "auditor", DEMO_PASSWORD)[1].status_code == 401
    finally:
        world.change(update(User).where(User.id == "u-auditor").values(is_active=True))


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.answers("console.login", 400)
def test_another_site_signs_nobody_in(world: World, site: str) -> None:
    _, answer = sign_in(world, "city", DEMO_PASSWORD, **{"Sec-Fetch-Site": site})
    assert told(answer) == (400, "csrf") and "Set-Cookie" not in answer.headers


@pytest.mark.answers("console.login", 413)
@pytest.mark.answers("console.logout", 413)
def test_a_form_that_never_ends_is_refused(world: World) -> None:
    assert told(sign_in(world, "city", "p" * 2_000_000)[1]) == (413, "too_large")
    assert told(world.desk("city").post("/logout", data={"csrf": "x" * 2_000_000})) == (413, "too_large")


@pytest.mark.answers("console.start", 302)
def test_a_stranger_is_sent_to_sign_in(world: World) -> None:
    assert world.anonymous().get("/").headers["Location"] == "/login"


@pytest.mark.answers("console.logout", 302)
def test_signing_out_ends_the_session_at_once_also_for_a_copy_of_the_cookie(world: World) -> None:
    client, _ = sign_in(world, "city", DEMO_PASSWORD)
    cookie = client.get_cookie("huyuan_session")
    csrf = re.search(r'name="csrf" value="([^"]+)"', client.get("/").text)
    assert cookie and csrf
    assert client.post("/logout", data={"csrf": csrf[1]}).headers["Location"] == "/login"
    copy = world.anonymous()
    copy.set_cookie("huyuan_session", cookie.value)
    assert copy.get("/").status_code == 302
    assert world.look(select(func.count()).select_from(WebSession).where(WebSession.csrf == csrf[1])) == [(0,)]


@pytest.mark.parametrize("form", [{}, {"csrf": ""}, {"csrf": "wrong"}, {"csrf": "é张"}, {"csrf": "x" * 300}])
@pytest.mark.answers("console.logout", 400)
def test_a_form_of_another_page_signs_nobody_out(world: World, form: dict[str, str]) -> None:
    client = world.desk("city")
    assert told(client.post("/logout", data=form)) == (400, "csrf")
    assert client.get("/").status_code == 200


def test_a_phone_is_not_signed_out_as_if_it_were_a_browser(world: World) -> None:
    answer = world.any_phone("inspector_a").ask("POST", "/logout", data={"csrf": ""})
    assert told(answer) == (401, "unauthenticated")


def test_what_a_person_typed_is_text_on_the_page_whatever_it_holds(world: World) -> None:
    evil = "<script>alert(1)</script>（示例）"
    op = {"verb": "user.add", "ent": {"t": "user", "id": "u-evil"}, "args": make.user("evil", name=evil, role="auditor", areas=["370300"])}
    assert world.desk("admin").post("/v1/ops", json=op).status_code == 200
    page = world.signed_in("u-evil").get("/").text
    assert "<script>" not in page and "&lt;script&gt;" in page
