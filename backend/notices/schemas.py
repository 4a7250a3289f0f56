"""Shapes: lines of an inbox, and what marks them as read."""

from marshmallow import Schema, fields, validate

from backend.notices import clocks, rules
from backend.problems.table import LEVELS
from backend.shapes import Strict


class Read(Strict):
    """Lines that were read: those of `ids`, or all, as far as they were on the screen (`until`: the `at` of the newest)."""

    ids = fields.List(
        fields.Integer(strict=True, validate=validate.Range(1, 2**31 - 1)),
        load_default=None,
        allow_none=True,
        validate=validate.Length(1, 500),
    )
    until = fields.AwareDateTime(required=True)


class Subscribe(Strict):
    """args of `webhook.subscribe`."""

    url = fields.String(required=True, validate=validate.Length(1, 500))
    events = fields.List(
        fields.String(validate=validate.OneOf(rules.EVENTS)), required=True, validate=validate.Length(1, 50)
    )


class RanOut(Strict):
    """args of `clock.escalate`: which clock (clocks.py), until which day it ran, and who is told; `n` tells those of one thing apart."""

    clock = fields.String(required=True, validate=validate.OneOf(list(clocks.CLOCKS)))
    level = fields.String(required=True, validate=validate.OneOf([clocks.OWN, *LEVELS]))
    last_on = fields.Date("%Y-%m-%d", required=True)
    n = fields.Integer(load_default=0, strict=True, validate=validate.Range(0, 2**31 - 1))


class Address(Strict):
    """args of `notice.address`: where a person is written to (null: not at all)."""

    address = fields.String(
        required=True, allow_none=True, validate=validate.Regexp(r"^[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,180}$")
    )


class NoticeOut(Schema):
    """One line of an inbox."""

    id = fields.Integer()
    kind = fields.String()
    text = fields.Function(lambda n: {lang: rules.text(n.kind, lang, n.data, n.count) for lang in ("zh", "en")})
    is_urgent = fields.Function(lambda n: rules.KINDS[n.kind].is_urgent)
    ent_type = fields.String()
    ent_id = fields.String()
    problem = fields.String(attribute="problem_id", allow_none=True)
    count = fields.Integer()
    first_at = fields.AwareDateTime()
    at = fields.AwareDateTime()
    read_at = fields.AwareDateTime(allow_none=True)
    data = fields.Dict()


class WebhookOut(Schema):
    """A subscription, as its owner is shown it."""

    id = fields.String()
    owner = fields.String(attribute="owner_id")
    url = fields.String()
    events = fields.List(fields.String())
    has_secret = fields.Function(lambda w: w.generation > 0)
    created_at = fields.AwareDateTime()
    failing_since = fields.AwareDateTime(allow_none=True)
    ended_at = fields.AwareDateTime(allow_none=True)
    ended_why = fields.String(allow_none=True)


class DeadOut(Schema):
    """A message that was given up."""

    id = fields.String()
    webhook = fields.String(attribute="target")
    kind = fields.String()
    created_at = fields.AwareDateTime()
    ended_at = fields.AwareDateTime()
    attempts = fields.Integer()
    last_status = fields.Integer(allow_none=True)
    last_error = fields.String(allow_none=True)
