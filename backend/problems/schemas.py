"""Shapes of problem ops and of problems as devices and the API see them."""

from marshmallow import RAISE, Schema, fields, validate

from backend.problems.rules import ACTIONS
from backend.shapes import SHA256, Real


class Act(Schema):
    """args of `problem.act`: one step of the transition table."""

    class Meta:
        unknown = RAISE

    action = fields.String(required=True, validate=validate.OneOf([a for a in ACTIONS if a != "assign"]))
    note = fields.String(load_default="", validate=validate.Length(max=4000))
    photos = fields.List(fields.String(validate=SHA256), load_default=list)


class ProblemOut(Schema):
    """A problem as a device or the API sees it."""

    id = fields.String()
    number = fields.String()
    programme = fields.String()
    item = fields.String()
    category = fields.String()
    grade = fields.String()
    state = fields.String()
    site_id = fields.String(allow_none=True)
    district_id = fields.String(allow_none=True)
    township_id = fields.String(allow_none=True)
    department_id = fields.String(allow_none=True)
    lon = Real(allow_none=True)
    lat = Real(allow_none=True)
    description = fields.String()
    due_on = fields.Date(allow_none=True)
    report_count = fields.Integer()
    missing_photos = fields.Integer()
    is_near_boundary = fields.Boolean()
    unplaced_reason = fields.String(allow_none=True)
    next_actor = fields.String(allow_none=True)
    found_at = fields.AwareDateTime()
    found_quality = fields.String(allow_none=True)
    received_at = fields.AwareDateTime()
    ver = fields.Integer()
