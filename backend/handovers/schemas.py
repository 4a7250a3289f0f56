"""Shapes of handover ops, and handovers as the API tells of them."""

from marshmallow import Schema, fields, validate

from backend.handovers.rules import RESULTS
from backend.shapes import Strict

MAX_PROBLEMS = 500
_NOTE = validate.Length(max=2000)
_NAME = validate.Length(1, 200)


class Receiver(Strict):
    """The office that is given something: an area, and a department of it (none: the area itself)."""

    area = fields.String(required=True, validate=validate.Length(1, 64))
    department = fields.String(load_default=None, allow_none=True, validate=validate.Length(1, 64))


class Chosen(Strict):
    """Open problems by what they are at this moment; what is in another open handover is left out."""

    node = fields.String(required=True, validate=validate.Length(1, 64))
    department = fields.String(validate=validate.Length(1, 64))
    category = fields.String(validate=validate.Length(1, 40))
    grade = fields.String(validate=validate.Length(1, 16))
    programme = fields.String(validate=validate.Length(1, 64))
    overdue = fields.Boolean(load_default=False)


class Part(Strict):
    """The larger ring that a handover belongs to: a sweep or an order of the year."""

    t = fields.String(required=True, validate=validate.OneOf(["sweep", "order"]))
    id = fields.String(required=True, validate=validate.Length(1, 64))


class IssueHandover(Strict):
    """args of `handover.issue`: to whom, until when, and which problems: a list, or a filter (never both)."""

    to = fields.Nested(Receiver, required=True)
    due_on = fields.Date(required=True)
    demand = fields.String(load_default="", validate=_NOTE)
    problems = fields.List(fields.String(validate=_NAME), validate=validate.Length(1, MAX_PROBLEMS))
    chosen = fields.Nested(Chosen)
    part_of = fields.Nested(Part, load_default=None, allow_none=True)


class Noted(Strict):
    """args of `handover.sign`, `handover.close`: a note."""

    note = fields.String(load_default="", validate=_NOTE)


class Withdraw(Strict):
    """args of `handover.withdraw`: why."""

    note = fields.String(required=True, validate=validate.Length(1, 2000))


class Result(Strict):
    """What is answered about one problem."""

    problem = fields.String(required=True, validate=_NAME)
    result = fields.String(required=True, validate=validate.OneOf(list(RESULTS)))
    note = fields.String(load_default="", validate=_NOTE)


class Reply(Strict):
    """args of `handover.reply`: a result for each problem that is named; others may follow."""

    results = fields.List(fields.Nested(Result), required=True, validate=validate.Length(1, MAX_PROBLEMS))


class Judge(Strict):
    """args of `handover.judge`: whether the reasons given for these problems hold."""

    problems = fields.List(fields.String(validate=_NAME), required=True, validate=validate.Length(1, MAX_PROBLEMS))
    accepted = fields.Boolean(required=True)
    note = fields.String(load_default="", validate=_NOTE)


class HandoverOut(Schema):
    """A handover in a list."""

    id = fields.String()
    number = fields.String()
    state = fields.String()
    due_on = fields.Date()
    is_overdue = fields.Boolean()
    area_path = fields.String()
    department_id = fields.String(allow_none=True)
    from_path = fields.String()
    from_department = fields.String(allow_none=True)
    of_type = fields.String(allow_none=True)
    of_id = fields.String(allow_none=True)
    demand = fields.String()
    issued_at = fields.AwareDateTime()
    signed_at = fields.AwareDateTime(allow_none=True)
    replied_at = fields.AwareDateTime(allow_none=True)
    closed_at = fields.AwareDateTime(allow_none=True)
    closing_note = fields.String()
    problems = fields.Integer()
    settled = fields.Integer()


class ItemOut(Schema):
    """One problem of a handover."""

    n = fields.Integer()
    problem_id = fields.String()
    number = fields.String()
    description = fields.String()
    problem_state = fields.String()
    is_ended = fields.Boolean()
    state = fields.String()
    result = fields.String(allow_none=True)
    note = fields.String()
    judgement = fields.String()
    replied_at = fields.AwareDateTime(allow_none=True)
