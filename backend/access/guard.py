"""Who is asking, for a view: found once per request by the identifiers that the wiring registers. No tables here."""

from collections.abc import Callable
from typing import Any

from flask import current_app, g, request

from backend import incoming
from backend.access.roles import may
from backend.access.scope import Actor
from backend.errors import NotAllowed, Problem

Identify = Callable[[], Actor | None]


def register(app: Any, device: Identify, person: Identify) -> None:
    """Tell the guard how devices and people are recognised (accounts stand above it)."""
    app.extensions["identify"] = {"device": device, "person": person}


def device_actor() -> Actor:
    """The person whose enrolled device asks. Raises Problem unauthenticated or device_revoked."""
    return _known("device")


def person_actor() -> Actor:
    """The person who is signed in with a browser. Raises Problem unauthenticated."""
    return _known("person")


def web_actor() -> Actor:
    """The person who is signed in (cookie), or whose device asks (bearer). Raises Problem unauthenticated."""
    return _known("device" if request.headers.get("Authorization") else "person")


def _known(kind: str) -> Actor:
    if "actor" not in g:
        g.actor = current_app.extensions["identify"][kind]()
    if g.actor is None:
        raise Problem("unauthenticated")
    found: Actor = g.actor
    return found


def require(actor: Actor, permission: str) -> None:
    """Raises NotAllowed where the actor's role lacks `permission`."""
    if not may(actor.role, permission):
        raise NotAllowed()


def reader(permission: str) -> Actor:
    """Who asks as `web_actor` to be told something in JSON, and may. Raises as `web_actor`, `require`, `incoming.choose`."""
    actor = web_actor()
    require(actor, permission)
    incoming.choose(incoming.JSON)
    return actor
