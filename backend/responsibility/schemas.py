"""Shapes of responsibility ops."""

from marshmallow import Schema, fields, validate

from backend.shapes import Strict


class Reassign(Strict):
    """args of `problem.assign`: a supervisor gives a problem to a department."""

    department_id = fields.String(required=True, validate=validate.Length(max=64))
    note = fields.String(load_default="", validate=validate.Length(max=4000))


class AcceptPost(Strict):
    """args of `post.accept`: the digest of the list that was read."""

    digest = fields.String(required=True, validate=validate.Length(equal=64))


class DutyMatch(Strict):
    """What a duty rule asks for: category × place × object; more asked is more specific."""

    item = fields.String(validate=validate.Length(1, 16))
    category = fields.String(validate=validate.Length(1, 40))
    site_kind = fields.String(validate=validate.Length(1, 16))
    district = fields.String(validate=validate.Length(1, 64))
    township = fields.String(validate=validate.Length(1, 64))
    site = fields.String(validate=validate.Length(1, 64))


class PublishDuty(Strict):
    """args of `duty.publish`: a new version of the rule that the op names."""

    programme = fields.String(load_default=None, allow_none=True, validate=validate.Length(1, 64))
    match = fields.Nested(DutyMatch, required=True)
    lead = fields.String(required=True, validate=validate.Length(1, 64))
    supporting = fields.List(
        fields.String(validate=validate.Length(1, 64)), load_default=list, validate=validate.Length(max=20)
    )
    valid_from = fields.Date(required=True)
    valid_to = fields.Date(load_default=None, allow_none=True)


class ProposedDuty(PublishDuty):
    """A rule that is proposed, with the id under which it would be published."""

    id = fields.String(required=True, validate=validate.Length(1, 64))


class Preview(Strict):
    """POST /v1/duty-preview: the rules under which history is to be run again."""

    rules = fields.List(fields.Nested(ProposedDuty), required=True, validate=validate.Length(1, 100))


class DutyOut(Schema):
    """A version of a duty rule."""

    id = fields.String()
    version = fields.Integer()
    programme = fields.String(allow_none=True)
    match = fields.Dict()
    lead = fields.String()
    supporting = fields.List(fields.String())
    valid_from = fields.Date()
    valid_to = fields.Date(allow_none=True)


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
