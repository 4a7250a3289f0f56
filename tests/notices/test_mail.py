"""Mails over a real mail server on loopback: what they say and never say, digests, and a server that misbehaves in every way."""

import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, update

from backend.access.scope import SYSTEM
from backend.accounts.models import User
from backend.config import Mail
from backend.notices import fanout, mail, outbox
from backend.notices.models import MailAddress, Notice, NoticeFact, Outgoing
from backend.now import now_utc
from backend.ops.apply import submit
from backend.problems.models import Problem
from tests import make
from tests.cast import CAST, World
from tests.notices.postbox import Postbox, postbox

MONDAY = datetime(2026, 11, 23, 1, tzinfo=UTC)  # nine in the morning there, a working day
SPRING_FESTIVAL = datetime(2026, 2, 17, 1, tzinfo=UTC)
MADE_UP = datetime(2026, 2, 14, 1, tzinfo=UTC)  # a Saturday that is worked


@pytest.fixture
def box(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Postbox]:
    world.change(delete(Outgoing), delete(NoticeFact), delete(Notice), delete(MailAddress))
    monkeypatch.setattr(mail, "STEP_S", 1.0)
    monkeypatch.setattr(mail, "WHOLE_S", 2.0)
    mail._done.clear()
    with postbox() as made:
        use(world, Mail("huyuan@example.org", "127.0.0.1", made.port, "off"))
        for login in ("city", "zhangdian", "education"):
            with world.app.app_context():
                submit("notice.address", {"address": f"{login}@example.org"}, SYSTEM, ent=("user", CAST[login].id))
        yield made


def use(world: World, settings: Mail) -> None:
    world.app.extensions["config"] = replace(world.app.extensions["config"], mail=settings)


def stopped(world: World, login: str = "zhangdian", **more: Any) -> Any:
    """Work stopped at a problem whose remark names a child."""
    problem = make.problem(world, world.any_phone("inspector_a"), world.site(), **more)
    world.change(update(Problem).where(Problem.id == problem.id).values(description="王小明（示例）被砸伤"))
    args = make.act("stop_work", note="李老师（示例）说的")
    op = {"verb": "problem.act", "ent": {"t": "problem", "id": problem.id}, "base": {"ver": problem.ver}, "args": args}
    assert world.desk(login).post("/v1/ops", json=op).status_code == 200
    return problem


def work(world: World, later_s: float = 0.0) -> int:
    with world.app.app_context():
        now, tries = now_utc() + timedelta(seconds=later_s), 0
        fanout.deliver(now)
        while mail.send_one(now):
            tries += 1
        return tries


def states(world: World) -> list[str]:
    return sorted(row.state for row in world.look(Outgoing.__table__.select()))


def text_of(message: Any) -> str:
    return str(message["Subject"]) + "\n" + str(message.get_content())


def test_what_is_urgent_is_mailed_at_once_to_who_sees_it_and_names_nobody(world: World, box: Postbox) -> None:
    problem = stopped(world)
    assert work(world) == 1
    (message,) = box.taken
    said = text_of(message)
    assert message["To"] == "city@example.org" and problem.number in said and "/inbox" in said and message["Auto-Submitted"] == "auto-generated"
    assert not any(word in message.as_string() + said for word in ("王小明", "李老师", "砸伤", problem.site_id))
    assert work(world, 10**6) == 0


def test_a_second_danger_to_what_is_unread_is_no_second_mail(world: World, box: Postbox) -> None:
    problem = stopped(world)
    work(world)
    ver = world.look(Problem.__table__.select().where(Problem.id == problem.id))[0].ver
    for n, action in enumerate(("lift_stop", "stop_work")):
        op = {"verb": "problem.act", "ent": {"t": "problem", "id": problem.id}, "base": {"ver": ver + n}, "args": make.act(action, note="说明（示例）")}
        assert world.desk("zhangdian").post("/v1/ops", json=op).status_code == 200
    assert work(world) == 0 and len(box.taken) == 1


def test_who_no_longer_sees_it_or_has_left_is_not_written_to(world: World, box: Postbox) -> None:
    problem = stopped(world)
    with world.app.app_context():
        fanout.deliver(now_utc())
    world.change(update(Problem).where(Problem.id == problem.id).values(area_path="999999"))
    assert work(world) == 1 and states(world) == ["withdrawn"] and box.taken == []
    stopped(world)
    with world.app.app_context():
        fanout.deliver(now_utc())
    world.change(update(User).where(User.login == "city").values(is_active=False))
    tries = work(world)
    world.change(update(User).where(User.login == "city").values(is_active=True))
    assert tries == 1 and states(world) == ["withdrawn", "withdrawn"] and box.taken == []


@pytest.mark.parametrize(
    "says",
    [{"CONNECT": "554 no"}, {"CONNECT": "hang"}, {"CONNECT": "close"}, {"EHLO": "close"}, {"MAIL": "451 later"}, {"RCPT": "450 greylisted"},
     {"RCPT": "hang"}, {"DATA": "421 going down"}, {"DATA": "hang"}, {"END": "452 full"}, {"END": "close"}],
    ids=str,
)  # fmt: skip
def test_a_fault_that_may_pass_is_tried_again_under_the_same_message_id(world: World, box: Postbox, says: dict[str, str]) -> None:
    box.says = says
    stopped(world)
    assert work(world) == 1 and states(world) == ["waiting"] and work(world) == 0
    box.says = {}
    assert work(world, 100) == 1 and states(world) == ["sent"]
    assert len({message["Message-ID"] for message in box.taken}) == 1 and box.taken


@pytest.mark.parametrize("says", [{"MAIL": "550 no such sender"}, {"RCPT": "550 nobody"}, {"DATA": "554 spam"}, {"END": "552 too large"}], ids=str)
def test_a_no_for_good_is_a_dead_letter_at_once(world: World, box: Postbox, says: dict[str, str]) -> None:
    box.says = says
    stopped(world)
    assert work(world) == 1 and states(world) == ["dead"]
    with world.app.app_context():
        assert outbox.standing(now_utc())["mail"]["dead"] == 1
    box.says = {}
    (row,) = world.look(Outgoing.__table__.select())
    assert row.last_status == int(next(iter(says.values()))[:3])


def test_a_server_that_goes_away_after_its_yes_has_taken_the_mail(world: World, box: Postbox) -> None:
    box.says = {"QUIT": "close"}
    stopped(world)
    assert work(world) == 1 and states(world) == ["sent"] and len(box.taken) == 1


def test_a_server_that_nobody_runs_is_waited_for(world: World, box: Postbox) -> None:
    use(world, Mail("huyuan@example.org", "127.0.0.1", 1, "off"))
    stopped(world)
    assert work(world) == 1 and states(world) == ["waiting"]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1 with its key."""
    folder = tmp_path_factory.mktemp("tls")
    made = folder / "both.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")], check=True, capture_output=True,
    )  # fmt: skip
    made.write_bytes((folder / "key.pem").read_bytes() + (folder / "cert.pem").read_bytes())
    return made


def test_starttls_and_sign_in_and_nothing_goes_out_where_the_server_is_not_trusted(
    world: World, box: Postbox, certificate: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with postbox(context) as made:
        use(world, Mail("huyuan@example.org", "127.0.0.1", made.port, "starttls", "user", "a-password-of-the-mail-server"))
        stopped(world)
        assert work(world) == 1 and made.taken == [] and not any(h.startswith(("AUTH", "MAIL")) for h in made.heard)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert work(world, 100) == 1 and len(made.taken) == 1 and any(h.startswith("AUTH") for h in made.heard)
        made.tls = None  # the offer is gone, as if somebody in between had taken it out
        stopped(world)
        assert work(world) == 1 and len(made.taken) == 1
    rows = "".join(map(str, world.look(Outgoing.__table__.select())))
    assert "a-password" not in rows + "".join(capfd.readouterr()) + repr(world.app.extensions["config"])


def test_the_digest_comes_once_a_working_day_with_what_is_unread(world: World, box: Postbox) -> None:
    problem = make.problem(world, world.any_phone("inspector_a"), world.site())
    op = {"verb": "problem.assign", "ent": {"t": "problem", "id": problem.id}, "args": make.assign("education")}
    assert world.desk("zhangdian").post("/v1/ops", json=op).status_code == 200
    assert work(world) == 0, "nothing urgent"
    with world.app.app_context():
        for now in (SPRING_FESTIVAL, MONDAY.replace(day=22), MONDAY - timedelta(hours=2)):
            mail.digest(now)
            assert states(world) == [], now
        for n, now in enumerate((MADE_UP, MADE_UP + timedelta(hours=3), MONDAY, MONDAY + timedelta(hours=1))):
            mail._done.clear() if n % 2 else None  # another process, or the same one
            mail.digest(now)
    assert len(world.look(Outgoing.__table__.select())) == 2
    assert work(world, 3600) == 2 and {m["To"] for m in box.taken} == {"education@example.org"}
    said = text_of(box.taken[0])
    assert problem.number in said and "未读通知 1 条" in said and f"期限 {due_of(world, problem)}" in said
    world.desk("education").post("/v1/inbox/read", json={"until": (now_utc() + timedelta(days=1)).isoformat()})
    with world.app.app_context():
        mail.digest(MONDAY + timedelta(days=1))
    assert states(world) == ["sent", "sent"], "everything is read"


def due_of(world: World, problem: Any) -> str:
    return str(world.look(Problem.__table__.select().where(Problem.id == problem.id))[0].due_on)


def test_without_a_sender_nobody_is_written_to(world: World, box: Postbox) -> None:
    use(world, Mail())
    stopped(world)
    assert work(world) == 0 and states(world) == []
    with world.app.app_context():
        mail.digest(MONDAY)
    assert states(world) == []
