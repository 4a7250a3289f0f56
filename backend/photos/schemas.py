"""Shapes of photo ops."""

from marshmallow import fields, validate

from backend.shapes import SHA256, Strict


class Attach(Strict):
    """args of `photo.attach`: more photos for something already recorded."""

    item = fields.String(load_default="", validate=validate.Length(max=24))
    photos = fields.List(fields.String(validate=SHA256), required=True, validate=validate.Length(1))


class Receive(Strict):
    """args of `photo.receive`: the server itself says that a photo is whole (or is none)."""

    size = fields.Integer(required=True)
    mime = fields.String(load_default=None, allow_none=True)
    width = fields.Integer(load_default=None, allow_none=True)
    height = fields.Integer(load_default=None, allow_none=True)
    exif = fields.Dict(load_default=None, allow_none=True)
    fault = fields.String(load_default=None, allow_none=True)


class Lose(Strict):
    """args of `photo.lose`: photos whose bytes are not on disk, though the record said so."""

    photos = fields.List(fields.String(validate=SHA256), required=True, validate=validate.Length(1, 500))
