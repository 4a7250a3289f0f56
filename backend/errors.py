"""The tree of errors and the table of their stable codes; rendered once, as RFC 9457 problem+json (app.py).

Never an HTTP response, never a float code, never a text that names a person or a place.

Problem                 what a caller gets told (code → status, title)
├── NotAllowed          signed in, but may not
├── NotFound            does not exist, or may not be known to exist
└── Invalid             input that cannot be read, with pointers
Blocked                 an op waits for another one; it is kept (`blocked`)
Refused                 a handler's domain refusal of one op; the op is kept (`parked`) or the console is told
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# code: (HTTP status, Chinese title, English title)
CODES: Mapping[str, tuple[int, str, str]] = {
    "bad_request": (400, "请求无法识别", "The request cannot be read"),
    "bad_frame": (400, "推送内容不完整或格式错误", "The push is cut short or badly framed"),
    "bad_checksum": (400, "校验算法或格式不支持", "The checksum's algorithm or form is not supported"),
    "bad_cursor": (400, "分页游标无效", "The page cursor is not valid"),
    "unauthenticated": (401, "请先登录", "Sign in first"),
    "bad_credentials": (401, "账号或密码不正确", "Wrong name or password"),
    "device_revoked": (401, "该设备已被停用", "This device has been revoked"),
    "forbidden": (403, "没有权限", "Not allowed"),
    "replica_revoked": (403, "该终端已被停用", "This replica has been revoked"),
    "csrf": (400, "页面已过期，请刷新后重试", "The page has expired; reload it and try again"),
    "not_found": (404, "未找到", "Not found"),
    "code_unknown": (404, "注册码无效或已使用", "The enrolment code is unknown, used or expired"),
    "method_not_allowed": (405, "不支持的操作", "Method not allowed"),
    "not_acceptable": (406, "不支持所要求的格式", "None of the accepted formats can be made"),
    "epoch_changed": (409, "服务器已从备份恢复", "The server has gone back in time"),
    "replica_forked": (409, "终端数据出现分叉", "The replica has forked"),
    "busy": (409, "该终端正在同步", "This replica is being synced already"),
    "refused": (409, "当前状态不允许此操作", "The present state does not allow this"),
    "op_id_reused": (409, "操作编号已被占用", "The op id was used for another content"),
    "cursor_invalid": (410, "同步位置无效，需重新同步", "The sync cursor is not valid; start from nothing"),
    "tus_version": (412, "不支持的上传协议版本", "Unsupported tus version"),
    "offset_conflict": (409, "上传位置不一致", "The upload offset does not match"),
    "too_large": (413, "内容过大", "Too large"),
    "bad_encoding": (415, "不支持的内容编码", "Unsupported media type or encoding"),
    "range_not_satisfiable": (416, "没有所请求的字节", "There are no such bytes"),
    "invalid": (422, "内容不符合要求", "The content is not valid"),
    "locked": (423, "上传正在进行", "The upload is in use"),
    "upgrade_required": (426, "请升级客户端", "Upgrade the client to pull"),
    "rate_limited": (429, "请求过于频繁", "Too many requests"),
    "checksum_mismatch": (460, "照片校验不一致", "The bytes do not match their checksum"),
    "internal": (500, "服务器内部错误", "Internal error"),
    "overloaded": (503, "服务繁忙，请稍后再试", "Busy; try again later"),
    "not_ready": (503, "服务尚未就绪", "Not ready to serve"),
    "storage_full": (507, "存储空间不足", "Storage is full"),
}
# The same request may succeed later, or after what its code asks for (sync_protocol/problems.py says the same of the wire's).
RETRYABLE = frozenset({
    "epoch_changed", "replica_forked", "busy", "cursor_invalid", "too_large", "rate_limited", "overloaded", "not_ready", "storage_full",
    "locked", "offset_conflict", "checksum_mismatch",
})  # fmt: skip


@dataclass
class Problem(Exception):
    """Something a caller must be told. `code` is a key of CODES; `extra` are further members of the answer."""

    code: str
    detail: str = ""
    errors: Sequence[Mapping[str, str]] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    retry_after_s: int | None = None

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}" if self.detail else self.code

    @property
    def status(self) -> int:
        return CODES[self.code][0]

    def title(self, language: str = "zh") -> str:
        _, chinese, english = CODES[self.code]
        return chinese if language.startswith("zh") else english


class NotAllowed(Problem):
    def __init__(self, detail: str = "") -> None:
        super().__init__("forbidden", detail)


class NotFound(Problem):
    def __init__(self, detail: str = "") -> None:
        super().__init__("not_found", detail)


class Invalid(Problem):
    """Input that does not fit; `errors` is a list of {pointer, code, detail}."""

    def __init__(self, detail: str = "", errors: Sequence[Mapping[str, str]] = ()) -> None:
        super().__init__("invalid", detail, errors)


def invalid(messages: Any) -> Invalid:
    """marshmallow's messages, nested as the input was, as Invalid with a JSON pointer each (RFC 6901)."""
    return Invalid(errors=[{"pointer": p, "code": "invalid", "detail": d} for p, d in _pointers(messages)])


def _pointers(messages: Any, at: str = "") -> list[tuple[str, str]]:
    if isinstance(messages, Mapping):
        steps = ((str(key).replace("~", "~0").replace("/", "~1"), value) for key, value in messages.items())
        return [found for step, value in steps for found in _pointers(value, f"{at}/{step}")]
    if isinstance(messages, list):
        return [(at or "/", str(m)) for m in messages]
    return [(at or "/", str(messages))]


@dataclass
class Blocked(Exception):
    """An op that follows others which are not carried out yet: (op id, its status) each. It is kept and waits (P31)."""

    reason: str
    on: Sequence[tuple[str, str]]

    def __str__(self) -> str:
        return ", ".join(f"{name} is {status}" for name, status in self.on)


@dataclass
class Refused(Exception):
    """A handler will not do this op now. `reason` is one of the park reasons of PROTOCOL.md."""

    reason: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}" if self.detail else self.reason
