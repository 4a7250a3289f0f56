"""Mails: at once for what is urgent, else one digest a working day. Number, grade, day due and a link; never a name, a
remark, a child or a photo: mail lies open on many servers.

What a mail says is made when it is sent, of what its reader sees then; sent again after a fault it has the same Message-ID.
"""

import smtplib
import socket
import ssl
import threading
from collections.abc import Collection, Sequence
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import current_app
from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, Actor, visible
from backend.config import Mail
from backend.database import snapshot, transaction
from backend.ledgers.rules import GRADES_ZH
from backend.notices import outbox, queries, rules
from backend.notices.models import MailAddress, Notice, Outgoing
from backend.notices.outbox import Outcome
from backend.notices.told import Told
from backend.sweeps import queries as sweeps
from backend.workdays import Calendar, CalendarUnknown

STEP_S, WHOLE_S = 10.0, 60.0
MOST_LINES = 40
_done: dict[str, str] = {}  # database → the day whose digests this process has put in line


def is_on() -> bool:
    """Whether mails leave at all."""
    return bool(current_app.extensions["config"].mail.sender)


def addresses(session: Session) -> dict[str, str]:
    """{person: where they are written to}."""
    return {row.user_id: row.address for row in session.scalars(visible(MailAddress, SYSTEM))}


def put_urgent(session: Session, lot: Sequence[tuple[Told, Sequence[Actor]]], now: datetime) -> None:
    """A mail for each urgent line that is new to its reader; one that is unread already was written about."""
    urgent = [(told, meant) for told, meant in lot if rules.KINDS[told.kind].is_urgent and meant]
    if not urgent or not is_on():
        return
    known, rows = addresses(session), []
    written_about = _unread(session, [told for told, _ in urgent], known)
    for told, meant in urgent:
        for person in meant:
            line = (person.id, told.kind, *told.ent)
            if person.id in known and line not in written_about:
                written_about.add(line)
                rows.append({"id": f"{told.id}.{person.id}", "channel": "mail", "target": person.id, "kind": told.kind,
                             "data": {"ent_type": told.ent[0], "ent_id": told.ent[1]}})  # fmt: skip
    outbox.put(session, rows, now)


def _unread(session: Session, lot: Sequence[Told], people: Collection[str]) -> set[tuple[str, str, str, str]]:
    """(reader, kind, subject) of the unread lines that these facts would be counted in: one statement for the whole lot."""
    columns = (Notice.user_id, Notice.kind, Notice.ent_type, Notice.ent_id)
    same = visible(Notice, SYSTEM).with_only_columns(*columns).where(
        Notice.read_at.is_(None), Notice.user_id.in_(sorted(people)), Notice.kind.in_(sorted({told.kind for told in lot})),
        Notice.ent_id.in_(sorted({told.ent[1] for told in lot})),
    )  # fmt: skip
    return {(row.user_id, row.kind, row.ent_type, row.ent_id) for row in session.execute(same)}


def digest(now: datetime) -> None:
    """Put the day's digests in line: once a working day, from the hour on, for who has anything unread. Twice is once."""
    config = current_app.extensions["config"]
    local = now.astimezone(ZoneInfo(config.timezone))
    day, key = local.date().isoformat(), config.database_url
    if not is_on() or local.hour < config.mail.digest_hour or _done.get(key) == day or not _is_workday(local):
        return
    with transaction() as session:
        known = addresses(session)
        people = [p for p in sweeps.field_actors(session) if p.id in known and p.role in rules.OFFICES]
        rows = [
            {"id": f"digest.{day}.{person.id}", "channel": "mail", "target": person.id, "kind": "digest", "data": {"day": day}}
            for person in people if queries.unread(session, person)
        ]  # fmt: skip
        outbox.put(session, rows, now)
    _done[key] = day


def _is_workday(local: datetime) -> bool:
    """A year without a published calendar has ordinary weeks: a digest too many harms nobody, a deadline would."""
    try:
        return Calendar().is_workday(local.date())
    except CalendarUnknown:
        return local.weekday() < 5


def send_one(now: datetime) -> bool:
    """Send the next mail that is due; False where none is."""
    if not is_on():
        return False
    row = outbox.claim("mail", now)
    if row is None:
        return False
    message = _message(row, now)
    found = Outcome(is_withdrawn=True) if message is None else send(current_app.extensions["config"].mail, message)
    with transaction() as session:
        outbox.settle(session, row, found, now)
    return True


def _message(row: Outgoing, now: datetime) -> EmailMessage | None:
    """The mail as its reader may have it now; None where there is nothing left to say to them."""
    with snapshot() as session:
        person = sweeps.field_actor(session, row.target)
        address = addresses(session).get(row.target)
        if person is None or address is None:
            return None
        lines = _lines(session, person, row)
        count = queries.unread(session, person)
    if not lines:
        return None
    return written(address, row.id, person.language, lines, None if row.kind != "digest" else count, now)


def _lines(session: Session, person: Actor, row: Outgoing) -> list[str]:
    if row.kind == "digest":
        return [line_of(n, person.language) for n in queries.page(session, person, True, None, MOST_LINES)]
    found = queries.about(session, person, row.kind, row.data["ent_type"], row.data["ent_id"])
    return [line_of(n, person.language) for n in found]


def line_of(notice: Notice, language: str) -> str:
    """One line: what, which, how grave, until when. A title that somebody wrote, or a name, stays in the inbox."""
    data = {key: value for key, value in notice.data.items() if key not in ("title", "device")}
    said = rules.text(notice.kind, language, data, notice.count)
    english = language == "en"
    grade = data.get("grade", "")
    grade = grade if english else GRADES_ZH.get(grade, "")
    due = data.get("due_on")
    more = [grade, f"{'due' if english else '期限'} {due}" if due else ""]
    return f"{said}{' · ' if any(more) else ''}{' · '.join(filter(None, more))}"


def written(
    address: str, name: str, language: str, lines: Sequence[str], count: int | None, now: datetime
) -> EmailMessage:
    """A mail; `count` is how many are unread where it is a digest."""
    config, english = current_app.extensions["config"], language == "en"
    subject = lines[0].split("：")[0].split(": ")[0]
    if count is not None:
        subject = f"{count} unread" if english else f"未读通知 {count} 条"
    message = EmailMessage()
    message["From"], message["To"], message["Date"] = config.mail.sender, address, format_datetime(now)
    message["Subject"] = f"{'Huyuan' if english else '护园'} · {subject}"
    message["Message-ID"] = f"<{name}@{config.mail.sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    where = f"{config.public_url}/inbox"
    message.set_content("\n".join([*lines, "", f"{'Details' if english else '详情'}: {where}", ""]))
    return message


def send(settings: Mail, message: EmailMessage) -> Outcome:
    """Hand a mail to the server. A no for good (5xx about this mail) is final; whatever else may pass is tried again."""
    line: list[smtplib.SMTP] = []

    def end() -> None:
        for each in line:
            if each.sock is not None:
                each.sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(WHOLE_S, end)
    timer.daemon = True
    timer.start()
    try:
        _hand_over(settings, message, line)
    except (smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError, smtplib.SMTPSenderRefused) as fault:
        code = _code(fault)
        return Outcome(status=code, error=f"refused with {code}", is_final=500 <= code < 600)
    except (smtplib.SMTPException, OSError) as fault:
        told = getattr(fault, "smtp_code", None)
        return Outcome(status=told if isinstance(told, int) and told > 0 else None, error=type(fault).__name__)
    finally:
        timer.cancel()
        for each in line:
            each.close()
    return Outcome(is_sent=True)


def _hand_over(settings: Mail, message: EmailMessage, line: list[smtplib.SMTP]) -> None:
    context = ssl.create_default_context()
    if settings.tls == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(settings.host, settings.port, timeout=STEP_S, context=context)
    else:
        server = smtplib.SMTP(settings.host, settings.port, timeout=STEP_S)
    line.append(server)
    if settings.tls == "starttls":
        server.starttls(context=context)
    if settings.user:
        server.login(settings.user, settings.password)
    server.send_message(message)
    try:
        server.quit()
    except smtplib.SMTPServerDisconnected:  # it has taken the mail and gone: sent
        return


def _code(fault: Any) -> int:
    if isinstance(fault, smtplib.SMTPRecipientsRefused):
        return int(next(iter(fault.recipients.values()))[0])
    return int(fault.smtp_code)
