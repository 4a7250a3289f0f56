"""Shapes of programme ops. The pack itself is checked against pack.schema.json."""

from marshmallow import RAISE, Schema, fields


class Install(Schema):
    """args of `pack.install`."""

    class Meta:
        unknown = RAISE

    body = fields.Dict(required=True)
