"""Shapes of ring ops and of what the API tells of them."""

from marshmallow import Schema, fields, validate

from backend.handovers.schemas import Receiver
from backend.rings.loops import STEPS
from backend.rings.rules import ORDERS_ZH
from backend.shapes import Strict


class CloseSweep(Strict):
    """args of `sweep.close`: the coverage in words (what was seen, what was not and why); its figures the server adds."""

    coverage = fields.String(required=True, validate=[validate.Length(1, 4000), validate.Regexp(r"(?s).*\S")])


class IssueOrder(Strict):
    """args of `order.issue`: what is ordered, of whom, until when; sweeps that carry it out may be named at once."""

    kind = fields.String(required=True, validate=validate.OneOf(list(ORDERS_ZH)))
    year = fields.Integer(required=True, strict=True, validate=validate.Range(2000, 2999))
    title = fields.String(required=True, validate=validate.Length(1, 160))
    content = fields.String(required=True, validate=validate.Length(1, 8000))
    document = fields.String(load_default=None, allow_none=True, validate=validate.Length(1, 160))
    to = fields.List(fields.Nested(Receiver), required=True, validate=validate.Length(1, 200))
    due_on = fields.Date(required=True)
    sweeps = fields.List(
        fields.String(validate=validate.Length(1, 64)), load_default=list, validate=validate.Length(max=100)
    )


class TakeSweeps(Strict):
    """args of `order.take`: sweeps that carry an order out."""

    sweeps = fields.List(
        fields.String(validate=validate.Length(1, 64)), required=True, validate=validate.Length(1, 100)
    )


class ReplyOrder(Strict):
    """args of `order.reply`: what the addressee has done; a later reply stands beside the earlier."""

    text = fields.String(required=True, validate=validate.Length(1, 8000))
    document = fields.String(load_default=None, allow_none=True, validate=validate.Length(1, 160))


class Closing(Strict):
    """args of `order.close` and `year.close`: how it ended."""

    note = fields.String(load_default="", validate=validate.Length(max=4000))


class OrderOut(Schema):
    """An order in a list."""

    id = fields.String()
    number = fields.String()
    year = fields.Integer()
    kind = fields.String()
    kind_zh = fields.String()
    title = fields.String()
    content = fields.String()
    document = fields.String(allow_none=True)
    from_path = fields.String()
    from_department = fields.String(allow_none=True)
    due_on = fields.Date()
    is_open = fields.Boolean()
    is_overdue = fields.Boolean()
    issued_at = fields.AwareDateTime()
    closed_at = fields.AwareDateTime(allow_none=True)
    closing_note = fields.String()
    addressees = fields.Integer()
    replied = fields.Integer()
    sweeps = fields.Integer()
    sweeps_closed = fields.Integer()
    open_handovers = fields.Integer()


class ActOfSector(Strict):
    """args of `sector.act`: one step of a sector's loop; `follows`: the id of the step before (none: the first)."""

    sector = fields.String(required=True, validate=validate.Length(1, 64))
    period = fields.String(required=True, validate=validate.Length(1, 8))
    step = fields.String(required=True, validate=validate.OneOf(list(STEPS)))
    content = fields.String(required=True, validate=validate.Length(1, 8000))
    follows = fields.String(load_default=None, allow_none=True, validate=validate.Length(1, 64))


class StepOut(Schema):
    """A recorded step."""

    id = fields.String()
    step = fields.String()
    n = fields.Integer()
    content = fields.String()
    figures = fields.Dict()
    follows = fields.String(allow_none=True)
    at = fields.AwareDateTime()
    by = fields.String()


class LoopOut(Schema):
    """Where a loop stands."""

    sector = fields.String()
    area_path = fields.String()
    department_id = fields.String()
    due = fields.String(allow_none=True)
    due_on = fields.Date()
    is_overdue = fields.Boolean()
    steps = fields.List(fields.Nested(StepOut))
