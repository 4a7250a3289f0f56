"""Commands about notices: addresses, a mail to try, what waits and what was given up. Each reads options, calls one function and prints."""

import sys

import click
from flask import current_app

from backend.access.scope import SYSTEM
from backend.cli import as_json, show, with_app
from backend.cli.user import person
from backend.database import snapshot, transaction
from backend.errors import Invalid, NotFound
from backend.notices import mail, outbox
from backend.notices.schemas import DeadOut
from backend.now import now_utc
from backend.ops.apply import submit


@click.group()
def notice() -> None:
    """Who is told of what (通知)."""


@notice.command("address")
@click.argument("login")
@click.argument("address", required=False)
@as_json
@with_app
def notice_address(login: str, address: str | None, as_json: bool) -> None:
    """Where a person is written to; without an address: not at all."""
    with snapshot() as session:
        user_id = person(session, login).id
    submit("notice.address", {"address": address}, SYSTEM, ent=("user", user_id))
    show({"login": login, "is_written_to": address is not None}, as_json)


@notice.command("test-mail")
@click.argument("login")
@as_json
@with_app
def notice_test_mail(login: str, as_json: bool) -> None:
    """Write to a person now, and say what came of it; 1 where it was not taken."""
    if not mail.is_on():
        raise Invalid("HUYUAN_MAIL_FROM is not set: nobody is written to")
    with snapshot() as session:
        user = person(session, login)
        address, language = mail.addresses(session).get(user.id), user.language
    if address is None:
        raise NotFound(f"{login} has no address: python -m backend notice address")
    now = now_utc()
    lines = ["A test: mails arrive." if language == "en" else "测试邮件：通知可以送达。"]
    found = mail.send(
        current_app.extensions["config"].mail,
        mail.written(address, f"test.{now.timestamp():.0f}", language, lines, None, now),
    )
    show({"sent": found.is_sent, "status": found.status, "error": found.error}, as_json)
    sys.exit(0 if found.is_sent else 1)


@notice.command("dead")
@as_json
@with_app
def notice_dead(as_json: bool) -> None:
    """Mails and calls of webhooks that were given up, and what waits."""
    with snapshot() as session:
        found = DeadOut(many=True).dump(outbox.dead(session, None))
    show({"dead": found, **outbox.standing(now_utc())}, as_json)


@notice.command("redeliver")
@click.argument("name")
@as_json
@with_app
def notice_redeliver(name: str, as_json: bool) -> None:
    """Try one that was given up again."""
    with transaction() as session:
        is_found = outbox.redeliver(session, name, now_utc())
    if not is_found:
        raise NotFound(f"nothing given up is called {name}")
    show({"redelivered": name}, as_json)
