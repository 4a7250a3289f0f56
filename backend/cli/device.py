"""`device …`: enrolment codes and lost devices. Never prints a token: only the enrolling device learns it."""

import click

from backend.access.scope import SYSTEM
from backend.accounts import queries as accounts
from backend.accounts import tokens
from backend.cli import as_json, show, with_app
from backend.cli.user import person
from backend.database import snapshot, transaction
from backend.errors import NotFound
from backend.now import now_utc


@click.group()
def device() -> None:
    """Devices."""


@device.command("code")
@click.argument("login")
@as_json
@with_app
def device_code(login: str, as_json: bool) -> None:
    """A one-time enrolment code for a person."""
    with transaction() as session:
        code = tokens.make_code(session, person(session, login).id, now_utc())
    show({"login": login, "code": code, "hours": tokens.CODE_LIFE_H}, as_json)


@device.command("list")
@as_json
@with_app
def device_list(as_json: bool) -> None:
    """Enrolled devices, revoked ones too."""
    with snapshot() as session:
        facts = [
            {
                "id": d.id,
                "user": d.user_id,
                "app": d.app,
                "enrolled_at": d.enrolled_at,
                "revoked": d.is_revoked,
            }
            for d in accounts.devices(session, SYSTEM)
        ]
    show(facts, as_json)


@device.command("revoke")
@click.argument("device_id")
@as_json
@with_app
def device_revoke(device_id: str, as_json: bool) -> None:
    """Revoke a lost device: its next request is answered 401."""
    with transaction() as session:
        if not tokens.revoke_device(session, device_id):
            raise NotFound(f"no device {device_id}")
    show({"revoked": device_id}, as_json)
