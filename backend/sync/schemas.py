"""Shapes of what devices ask, ops apart (these are framed by sync_protocol). Members that are not known are ignored: versioning
is by addition.
"""

from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate

from backend.shapes import SHA256
from sync_protocol import PROTO
from sync_protocol.limits import MAX_PAGE, MAX_SEQ, MAX_UNACKED, PROTO_MIN, SCHEMA_MIN

MAX_ASKED = 500


class Resetting(fields.Field[Any]):
    """P17: {bucket: clock at which its reset began}, or a bare list of buckets ("just begun")."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        is_map = isinstance(value, dict) and all(
            isinstance(n, int) and not isinstance(n, bool) and 0 <= n <= MAX_SEQ for n in value.values()
        )
        if not is_map and not (isinstance(value, list) and all(isinstance(b, str) for b in value)):
            raise ValidationError("must be an object of bucket to clock, or a list of buckets")
        return value


class Enrol(Schema):
    """POST /enrol."""

    class Meta:
        unknown = EXCLUDE

    code = fields.String(required=True, validate=validate.Length(1, 40))
    install_id = fields.String(required=True, validate=validate.Length(1, 80))
    app = fields.String(load_default="", validate=validate.Length(max=80))
    proto = fields.Integer(load_default=PROTO, strict=True)


class Register(Schema):
    """POST /replicas."""

    class Meta:
        unknown = EXCLUDE

    install_id = fields.String(required=True, validate=validate.Length(1, 80))
    nonce = fields.String(required=True, validate=validate.Length(1, 80))
    cursor = fields.String(load_default=None, allow_none=True)  # the last one, as proof (P62)


class Pull(Schema):
    """POST /pull."""

    class Meta:
        unknown = EXCLUDE

    proto = fields.Integer(load_default=PROTO_MIN, strict=True)
    schema = fields.Integer(load_default=SCHEMA_MIN, strict=True)
    replica = fields.String(load_default="")
    cursor = fields.String(load_default=None, allow_none=True)
    resetting = Resetting(load_default=dict)
    unacked = fields.List(fields.String(), load_default=list, validate=validate.Length(max=MAX_UNACKED))
    limit = fields.Integer(load_default=MAX_PAGE, strict=True, validate=validate.Range(min=1))


class OpsStatus(Schema):
    """POST /ops/status."""

    class Meta:
        unknown = EXCLUDE

    op_ids = fields.List(fields.String(), required=True, validate=validate.Length(max=MAX_ASKED))


class Wanted(Schema):
    """One photo that is asked about."""

    class Meta:
        unknown = EXCLUDE

    sha256 = fields.String(required=True, validate=SHA256)
    size = fields.Integer(strict=True, validate=validate.Range(min=0))


class BlobsQuery(Schema):
    """POST /blobs/query."""

    class Meta:
        unknown = EXCLUDE

    want = fields.List(fields.Nested(Wanted), required=True, validate=validate.Length(max=MAX_ASKED))
