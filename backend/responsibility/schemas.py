"""Shapes of responsibility ops."""

from marshmallow import RAISE, Schema, fields, validate


class Reassign(Schema):
    """args of `problem.assign`: a supervisor gives a problem to a department."""

    class Meta:
        unknown = RAISE

    department_id = fields.String(required=True, validate=validate.Length(max=64))
    note = fields.String(load_default="", validate=validate.Length(max=4000))


class LinkOut(Schema):
    """One link of the chain, as the API shows it."""

    layer = fields.String(validate=validate.OneOf(["city", "department", "district", "township", "unit"]))
    department_id = fields.String()
    area_id = fields.String(allow_none=True)
    post_id = fields.String(allow_none=True)
    title = fields.String(allow_none=True)
    holder = fields.String(allow_none=True)
    is_lead = fields.Boolean()
    is_gap = fields.Boolean()
    reason = fields.Dict()
