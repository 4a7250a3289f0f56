"""Shapes of the ops about the server's own standing."""

from marshmallow import fields, validate

from backend.shapes import Strict


class BeginEpoch(Strict):
    """args of `epoch.begin`: the new name, the clock at which the old history ends here, why."""

    epoch = fields.String(required=True, validate=validate.Length(8, 64))
    clock = fields.Integer(required=True, strict=True)
    reason = fields.String(required=True, validate=validate.Length(1, 24))
    detail = fields.Dict(keys=fields.String(), load_default=dict)


class NoteBackup(Strict):
    """args of `backup.note`: which history a verified backup is of, and up to which clock it holds it."""

    epoch = fields.String(required=True, validate=validate.Length(8, 64))
    clock = fields.Integer(required=True, strict=True)
    journal_n = fields.Integer(required=True, strict=True)
    journal_hash = fields.String(required=True, validate=validate.Length(equal=64))
    sha256 = fields.String(required=True, validate=validate.Length(equal=64))
