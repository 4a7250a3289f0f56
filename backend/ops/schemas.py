"""The shape of an op from a desk; what its args are is the verb's own schema (table.py)."""

from marshmallow import RAISE, Schema, fields, validate


class Entity(Schema):
    """What the op is about: type and id."""

    class Meta:
        unknown = RAISE

    t = fields.String(required=True, validate=validate.Length(1, 40))
    id = fields.String(required=True, validate=validate.Length(1, 100))


class Base(Schema):
    """The version of it that the author saw."""

    class Meta:
        unknown = RAISE

    ver = fields.Integer(required=True, strict=True)


class DeskOp(Schema):
    """POST /v1/ops."""

    class Meta:
        unknown = RAISE

    op = fields.String(validate=[validate.Length(8, 64), validate.Regexp(r"^[!-~]+\Z")])
    verb = fields.String(required=True, validate=validate.Length(max=60))
    ent = fields.Nested(Entity, load_default=lambda: {"t": "", "id": ""})
    base = fields.Nested(Base, load_default=None, allow_none=True)
    args = fields.Dict(load_default=dict)
