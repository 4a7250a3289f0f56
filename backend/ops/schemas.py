"""Shapes: an op from a desk (its args are the verb's own schema, table.py), the repair desk's ops, an op in custody."""

from marshmallow import Schema, fields, validate

from backend.shapes import Strict


class Entity(Strict):
    """What the op is about: type and id."""

    t = fields.String(required=True, validate=validate.Length(1, 40))
    id = fields.String(required=True, validate=validate.Length(1, 100))


class Base(Strict):
    """The version of it that the author saw."""

    ver = fields.Integer(required=True, strict=True)


class DeskOp(Strict):
    """POST /v1/ops."""

    op = fields.String(validate=[validate.Length(8, 64), validate.Regexp(r"^[!-~]+\Z")])
    verb = fields.String(required=True, validate=validate.Length(max=60))
    ent = fields.Nested(Entity, load_default=lambda: {"t": "", "id": ""})
    base = fields.Nested(Base, load_default=None, allow_none=True)
    args = fields.Dict(load_default=dict)


class Edit(Strict):
    """args of `op.edit`: the args as they should have been, in version `v` of the verb, and why."""

    args = fields.Dict(required=True)
    v = fields.Integer(load_default=1, strict=True, validate=validate.Range(1, 1000))
    note = fields.String(required=True, validate=validate.Length(1, 400))


class Redirect(Strict):
    """args of `op.redirect`: another entity, another site, or both."""

    ent = fields.Nested(Entity, load_default=None, allow_none=True)
    site_id = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=64))


class Discard(Strict):
    """args of `op.discard`: why it will not be carried out."""

    reason = fields.String(required=True, validate=validate.Length(1, 400))


class HeldOut(Schema):
    """An op that waits for a person: what it says, who sent it, why it is held."""

    op = fields.String(attribute="op_id")
    verb = fields.String()
    v = fields.Integer()
    status = fields.String()
    reason = fields.String(allow_none=True)
    detail = fields.String(allow_none=True)
    actor = fields.String(attribute="actor_id")
    ent_type = fields.String()
    ent_id = fields.String()
    txn = fields.String(allow_none=True)
    received_at = fields.AwareDateTime()
    clock = fields.Integer()
    body = fields.String()


class HeldCount(Schema):
    """How many ops wait for a decision, of one status and reason, and since when the oldest."""

    status = fields.String()
    reason = fields.String(allow_none=True)
    count = fields.Integer()
    oldest_at = fields.AwareDateTime(allow_none=True)
