"""Shapes of responsibility ops."""

from marshmallow import RAISE, Schema, fields, validate


class Reassign(Schema):
    """args of `problem.assign`: a supervisor gives a problem to a department."""

    class Meta:
        unknown = RAISE

    department_id = fields.String(required=True, validate=validate.Length(max=64))
    note = fields.String(load_default="", validate=validate.Length(max=4000))


class AcceptPost(Schema):
    """args of `post.accept`: the digest of the list that was read."""

    class Meta:
        unknown = RAISE

    digest = fields.String(required=True, validate=validate.Length(equal=64))


class LinkOut(Schema):
    """One link of the chain, as the API shows it."""

    layer = fields.String(validate=validate.OneOf(["city", "department", "district", "township", "unit"]))
    department_id = fields.String()
    area_id = fields.String(allow_none=True)
    post_id = fields.String(allow_none=True)
    title = fields.String(allow_none=True)
    holder = fields.String(allow_none=True)
    acting = fields.String(allow_none=True)
    since_at = fields.AwareDateTime()
    is_lead = fields.Boolean()
    is_gap = fields.Boolean()
    reason = fields.Dict()


class TermOut(Schema):
    """Who answered for one layer of a problem, from when until when (none: still)."""

    layer = fields.String()
    department_id = fields.String()
    post_id = fields.String(allow_none=True)
    title = fields.String(allow_none=True)
    holder = fields.String(allow_none=True)
    is_lead = fields.Boolean()
    is_gap = fields.Boolean()
    since_at = fields.AwareDateTime()
    to_at = fields.AwareDateTime(allow_none=True)


class PostHandoverOut(Schema):
    """What went over when a post's holder changed."""

    id = fields.String()
    post_id = fields.String()
    title = fields.String()
    from_person = fields.String(allow_none=True)
    to_person = fields.String(allow_none=True)
    at = fields.AwareDateTime()
    count = fields.Integer()
    overdue = fields.Integer()
    digest = fields.String()
    accepted_at = fields.AwareDateTime(allow_none=True)
    accepted_by = fields.String(allow_none=True)
