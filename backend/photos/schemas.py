"""Shapes of photo ops."""

from marshmallow import RAISE, Schema, fields, validate

from backend.shapes import SHA256


class Attach(Schema):
    """args of `photo.attach`: more photos for something already recorded."""

    class Meta:
        unknown = RAISE

    item = fields.String(load_default="", validate=validate.Length(max=24))
    photos = fields.List(fields.String(validate=SHA256), required=True, validate=validate.Length(1))


class Receive(Schema):
    """args of `photo.receive`: the server itself says that a photo is whole (or is none)."""

    class Meta:
        unknown = RAISE

    size = fields.Integer(required=True)
    mime = fields.String(load_default=None, allow_none=True)
    width = fields.Integer(load_default=None, allow_none=True)
    height = fields.Integer(load_default=None, allow_none=True)
    exif = fields.Dict(load_default=None, allow_none=True)
    fault = fields.String(load_default=None, allow_none=True)


class Lose(Schema):
    """args of `photo.lose`: photos whose bytes are not on disk, though the record said so."""

    class Meta:
        unknown = RAISE

    photos = fields.List(fields.String(validate=SHA256), required=True, validate=validate.Length(1, 500))
