"""Shapes of programme ops. The pack itself is checked against pack.schema.json."""

from marshmallow import fields

from backend.shapes import Strict


class Install(Strict):
    """args of `pack.install`."""

    body = fields.Dict(required=True)
