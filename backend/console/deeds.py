"""What somebody does with a form of a problem's page: photos are kept, the op is asked for, a refusal becomes a message beside
its field. Decides nothing about the record: the one door does (ops/apply.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import request

from backend.access.guard import require
from backend.access.scope import SYSTEM, Actor
from backend.console import forms, refusals
from backend.database import snapshot
from backend.errors import Problem
from backend.now import now_utc
from backend.ops.apply import submit
from backend.ops.table import VERBS
from backend.photos import queries as photos
from backend.shapes import is_sha256
from backend.sync.receiving import take_whole

MOST_PHOTOS = 6
_ABOUT_THEM = frozenset(
    {"refused", "invalid", "forbidden", "op_id_reused", "not_found"}
)  # what a form can be mended for, or told of


@dataclass(slots=True)
class Deed:
    """One form that was sent: which, about what, what was typed, the photos that are here by now, and what is wrong with it."""

    action: str
    name: str
    op_id: str
    ver: int | None
    typed: Mapping[str, str]
    photos: list[str] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    status: int = 422

    def refuse(self, found: Mapping[str, str], status: int = 422) -> None:
        self.errors, self.status = {**self.errors, **found}, status


def sent() -> Deed:
    """The form of this request. What no database can hold was not typed."""
    typed = {key: value.replace("\0", "") for key, value in request.form.items()}
    ver = typed.get("ver", "")
    known = int(ver) if ver.isascii() and ver.isdigit() and len(ver) < 10 else None
    kept = [sha for sha in request.form.getlist("kept") if is_sha256(sha)][:MOST_PHOTOS]
    return Deed(
        typed.get("action", "")[:40], typed.get("about", "")[:200], typed.get("op", "")[:64], known, typed, kept
    )


def carry_out(actor: Actor, deed: Deed, language: str) -> str | None:
    """Ask for it; its status, or None where it was refused: then the deed says why. What was typed is in it all the same.

    Raises Problem for what is not about this form (busy, storage_full, too_large).
    """
    way = forms.way_of(deed.action)
    try:
        require(actor, VERBS[way.verb].permission)
        _take_photos(actor, deed, language)
        args = forms.args_of(deed.action, deed.typed, deed.photos)
        deed.refuse({name: refusals.empty(language) for name in forms.left_empty(deed.action, args)})
        if deed.errors:
            return None
        base = None if deed.ver is None else {"ver": deed.ver}
        return submit(way.verb, args, actor, ent=(way.about, deed.name), base=base, op_id=deed.op_id or None).status
    except Problem as fault:
        if fault.code not in _ABOUT_THEM:
            raise
        told = refusals.of(deed.action, fault, deed.typed, language)
        deed.refuse(told, 422 if any(told) else fault.status)
        return None


def _take_photos(actor: Actor, deed: Deed, language: str) -> None:
    """Photos of the form are here before the op that speaks of them; a form that is refused keeps them."""
    if not any(each.kind == "photos" for each in forms.fields_of(deed.action)):
        return
    given = [file.stream.read() for file in request.files.getlist("photos")[:MOST_PHOTOS] if file.filename]
    came = [take_whole(actor, data, now_utc()) for data in given]
    broken = _broken(came)
    deed.photos = list(dict.fromkeys([*deed.photos, *(sha for sha in came if sha not in broken)]))[:MOST_PHOTOS]
    if broken:
        deed.refuse({"photos": refusals.no_picture(language)})


def _broken(shas: Sequence[str]) -> set[str]:
    with snapshot() as session:
        known: dict[str, Any] = photos.states_of(session, SYSTEM, list(shas)) if shas else {}
    return {sha for sha in shas if known.get(sha, {}).get("state") == "corrupt"}
