"""Shapes of what devices ask, ops apart (these are framed by sync_protocol). Members that are not known are ignored: versioning
is by addition.
"""

import re
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate

from backend.shapes import SHA256
from sync_protocol import PROTO
from sync_protocol.limits import MAX_PAGE, MAX_SEQ, MAX_UNACKED, PROTO_MIN, SCHEMA_MIN

MAX_ASKED = 500
MAX_TAKEN = 100
MAX_TOLD, MAX_TEXT = 200, 200  # ids in one list of a report, letters in one of them
SUM = re.compile(r"[0-9a-f]{16}")


class Resetting(fields.Field[Any]):
    """P17: {bucket: clock at which its reset began}, or a bare list of buckets ("just begun")."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        is_map = isinstance(value, dict) and all(
            isinstance(n, int) and not isinstance(n, bool) and 0 <= n <= MAX_SEQ for n in value.values()
        )
        if not is_map and not (isinstance(value, list) and all(isinstance(b, str) for b in value)):
            raise ValidationError("must be an object of bucket to clock, or a list of buckets")
        return value


class Check(fields.Field[Any]):
    """P43: [count, sum in 16 hexadecimal digits]."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not (isinstance(value, list) and len(value) == 2 and _is_sum(*value)):
            raise ValidationError("a count and a sum of 16 hexadecimal digits")
        return value


def _is_sum(count: Any, total: Any) -> bool:
    return type(count) is int and 0 <= count <= MAX_SEQ and isinstance(total, str) and bool(SUM.fullmatch(total))


class Mismatched(fields.Field[Any]):
    """P43: {bucket: [mismatches in a row, count, sum]}."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, dict) or not all(
            isinstance(each, list) and len(each) == 3 and type(each[0]) is int and _is_sum(*each[1:])
            for each in value.values()
        ):
            raise ValidationError("an object of bucket to how often, count and sum")
        return value


class Count(fields.Field[Any]):
    """How many; what cannot be meant is as if it had not been said: no word about itself keeps a device from pulling."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        return value if type(value) is int and 0 <= value < 2**31 else None


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
    accept_bundles = fields.Boolean(load_default=False)
    taken = fields.List(fields.String(), load_default=list, validate=validate.Length(max=MAX_TAKEN))
    mismatched = Mismatched(load_default=dict)
    outbox_len = Count(load_default=None)


class Members(fields.Field[Any]):
    """P44: members as a report names them: [type, id, version], and of another version the one there besides."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, list) or len(value) > MAX_TOLD or not all(_is_member(each) for each in value):
            raise ValidationError(f"at most {MAX_TOLD} lists of type, id and version")
        return value


def _is_member(value: Any) -> bool:
    return (
        isinstance(value, list) and 3 <= len(value) <= 4
        and all(isinstance(text, str) and len(text) <= MAX_TEXT for text in value[:2])
        and all(type(ver) is int and 0 <= ver <= MAX_SEQ for ver in value[2:])
    )  # fmt: skip


class Report(Schema):
    """P44: what differs between a device and the server."""

    class Meta:
        unknown = EXCLUDE

    as_of = fields.Integer(required=True, strict=True, validate=validate.Range(min=0, max=MAX_SEQ))
    here = Check(required=True)
    there = Check(required=True)
    missing = Members(load_default=list)
    extra = Members(load_default=list)
    other = Members(load_default=list)


class Digest(Schema):
    """POST /digest."""

    class Meta:
        unknown = EXCLUDE

    bucket = fields.String(required=True, validate=validate.Length(1, 100))
    schema = fields.Integer(load_default=SCHEMA_MIN, strict=True, validate=validate.Range(min=SCHEMA_MIN))
    parts = fields.List(
        fields.Integer(strict=True, validate=validate.Range(min=0, max=255)),
        load_default=None,
        allow_none=True,
        validate=validate.Length(max=256),
    )
    replica = fields.String(load_default="", validate=validate.Length(max=64))
    report = fields.Nested(Report, load_default=None, allow_none=False)


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
