"""Roles and what each may do, as one table. No territory here (scope.py), no HTTP (guard.py)."""

from collections.abc import Mapping

_READ = {"record.read", "ledger.read", "photo.view", "inbox.read"}
_FIELD = {"inspection.submit", "sample.result", "problem.report", "problem.act", "photo.attach", "sync", "inbox.read"}
_DESK = _READ | {
    "problem.act", "problem.assign", "problem.place", "conflict.resolve", "ledger.export", "op.repair", "sync.watch",
    "document.issue",  # which kinds is in documents/kinds.py
    "handover.issue", "handover.answer", "handover.read", "post.accept", "sector.act",
    "transfer.answer",
}  # fmt: skip
_CITY = _DESK | {
    "sweep.open",
    "order.issue",
    "duty.publish",
    "duty.preview",
    "team.form",
    "task.excuse",
    "device.enrol",
    "ledger.publish",
    "sample.draw",
    "sample.result",
    "evaluation.publish",
    "webhook.subscribe",
}

FORMER = "former"  # a person who has left: their device may still hand over what it holds, and nothing else

PERMISSIONS: Mapping[str, frozenset[str]] = {
    "system": frozenset(
        _CITY
        | _FIELD
        | {"city.load", "pack.install", "user.add", "post.hold", "photo.receive", "server.keep", "problem.escalate"}
    ),
    "admin": frozenset(
        _READ
        | {
            "city.load",
            "pack.install",
            "user.add",
            "post.hold",
            "duty.publish",
            "duty.preview",
            "device.enrol",
            "ledger.export",
            "sync.watch",
            "webhook.subscribe",
        }
    ),
    "city": frozenset(_CITY),
    "department": frozenset(_DESK),
    "district": frozenset(_DESK | {"task.excuse"}),
    "township": frozenset(_DESK - {"sector.act", "problem.place", "conflict.resolve", "op.repair"}),
    "school": frozenset(_READ | {"problem.act", "document.issue", "post.accept"}),
    "inspector": frozenset(_FIELD | {"record.read", "photo.view"}),
    "expert": frozenset(_FIELD | {"record.read", "photo.view"}),
    "auditor": frozenset(_READ | {"ledger.export", "sync.watch", "document.issue", "handover.read"}),
    FORMER: frozenset({"sync"}),
}
ROLES = tuple(role for role in PERMISSIONS if role != FORMER)


def may(role: str, permission: str) -> bool:
    """Whether `role` has `permission`; an unknown role has none."""
    return permission in PERMISSIONS.get(role, frozenset())
