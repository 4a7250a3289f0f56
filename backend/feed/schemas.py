"""Shapes of the ops about the server's own standing."""

from marshmallow import RAISE, Schema, fields, validate


class BeginEpoch(Schema):
    """args of `epoch.begin`: the new name, the clock at which the old history ends here, why."""

    class Meta:
        unknown = RAISE

    epoch = fields.String(required=True, validate=validate.Length(8, 64))
    clock = fields.Integer(required=True, strict=True)
    reason = fields.String(required=True, validate=validate.Length(1, 24))
    detail = fields.Dict(keys=fields.String(), load_default=dict)


class NoteBackup(Schema):
    """args of `backup.note`: which history a verified backup is of, and up to which clock it holds it."""

    class Meta:
        unknown = RAISE

    epoch = fields.String(required=True, validate=validate.Length(8, 64))
    clock = fields.Integer(required=True, strict=True)
    journal_n = fields.Integer(required=True, strict=True)
    journal_hash = fields.String(required=True, validate=validate.Length(equal=64))
    sha256 = fields.String(required=True, validate=validate.Length(equal=64))
