"""Shapes: args of publishing."""

from marshmallow import fields, validate

from backend.shapes import Strict

_NOTE = fields.String(load_default="", validate=validate.Length(max=2000))


class Publish(Strict):
    """args of `ledger.publish`: the period by its name (2026-W47, 2026-11, 2026-Q4, 2026-11-01/2026-11-15); as of when (none: now)."""

    period = fields.String(required=True, validate=validate.Length(7, 21))
    as_of = fields.String(load_default=None, allow_none=True, validate=validate.Length(10, 40))
    note = _NOTE


class Restate(Strict):
    """args of `ledger.restate`."""

    note = _NOTE
