"""HTTP of the reference client, with the standard library. Every doubt is `Offline`: nothing local
changes then."""

import gzip
import http.client
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from sync_protocol.client.answers import fault_of
from sync_protocol.client.codings import READABLE, unpack

TIMEOUT_S = 30.0
READ_BYTES = 65_536
KEPT_BYTES = 2_048  # of a download: what a line that breaks may cost
MAX_ANSWER_BYTES = 64 * 1024 * 1024  # far above any page; a line that never ends must not fill the phone
MAX_LINE_BYTES = 4_096  # of a stream of lines; what is longer is no line of ours and comes in pieces
MAX_WAIT_S = 3600.0
BUSY = (429, 503)


class Offline(Exception):
    """No answer, or none that can be trusted (lost, cut, a captive portal's page)."""


class ServerBusy(Exception):
    """503 or 429: come back after `retry_after_s`."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(f"busy, retry after {retry_after_s} s")
        self.retry_after_s = retry_after_s


class Refused(Exception):
    """The server refused the request as a whole; `problem` is its answer (RFC 9457)."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(f"{status} {problem.get('code')}: {problem.get('detail', '')}")
        self.status, self.code, self.problem = status, str(problem.get("code")), problem


def wait_s(said: object, default_s: float = 5.0) -> float:
    """Retry-After (RFC 9110 §10.2.3) in seconds, between 0 and an hour; a date or nonsense is `default_s`.

    A date is not read on purpose: the device's clock may be wrong by years.
    """
    try:
        seconds = float(str(said))
    except ValueError:
        return default_s
    return min(max(seconds, 0.0), MAX_WAIT_S) if math.isfinite(seconds) else default_s


class Transport:
    """One keep-alive connection to one server."""

    def __init__(self, base_url: str, timeout_s: float = TIMEOUT_S) -> None:
        self._url, self._timeout_s = urlsplit(base_url), timeout_s
        self._connection: http.client.HTTPConnection | None = None
        self.token = ""
        self.mono: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000
        self.span = (0, 0)  # own monotonic ms at which the last answered request left, and its answer began

    def raw(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, Any, bytes]:
        """One exchange: (status, headers, body). Raises Offline."""
        kind = http.client.HTTPSConnection if self._url.scheme == "https" else http.client.HTTPConnection
        try:
            if self._connection is None:
                self._connection = kind(self._url.netloc, timeout=self._timeout_s)
            left = self.mono()
            try:
                self._connection.request(method, path, body, headers)
            except (BrokenPipeError, ConnectionResetError):
                if not body:
                    raise
                # refused before the body was read: then the answer is there already (P84), and says when to come back
            answer = self._connection.getresponse()
            self.span = (left, self.mono())
            data = _drain(answer)
        except (OSError, http.client.HTTPException) as fault:
            self.close()
            raise Offline(repr(fault)) from fault
        if answer.will_close:
            self.close()
        return answer.status, answer.headers, data

    def fetch(
        self, path: str, headers: dict[str, str], begin: Callable[[int, Any], BinaryIO]
    ) -> tuple[int, Any, bytes]:
        """GET of something large: where the answer is 200 or 206, its bytes go into the file that `begin(status,
        headers)` gives, as they arrive; what has arrived stays when the line breaks. Returns (status, headers, body
        of any other answer). Raises Offline."""
        kind = http.client.HTTPSConnection if self._url.scheme == "https" else http.client.HTTPConnection
        try:
            if self._connection is None:
                self._connection = kind(self._url.netloc, timeout=self._timeout_s)
            self._connection.request("GET", path, None, headers)
            answer = self._connection.getresponse()
            if answer.status in (200, 206):
                with begin(answer.status, answer.headers) as file:
                    _drain(answer, file.write)
                data = b""
            else:
                data = _drain(answer)
        except (OSError, http.client.HTTPException) as fault:
            self.close()
            raise Offline(repr(fault)) from fault
        except BaseException:
            self.close()  # the rest of an answer that nobody wants must not be read as the next one
            raise
        if answer.will_close:
            self.close()
        return answer.status, answer.headers, data

    def lines(self, path: str) -> Iterator[str]:
        """GET of a stream of text lines that has no end of its own: each as it comes, without its end. The connection is
        dropped afterwards. Raises Offline, ServerBusy, Refused."""
        kind = http.client.HTTPSConnection if self._url.scheme == "https" else http.client.HTTPConnection
        self.close()
        try:
            self._connection = kind(self._url.netloc, timeout=self._timeout_s)
            self._connection.request("GET", path, None, {**self.headers(), "Accept": "text/event-stream"})
            answer = self._connection.getresponse()
            if answer.status != 200:
                self._read(path, answer.status, answer.headers, _drain(answer))
                raise Offline(f"status {answer.status} is not this server's")
            while line := answer.readline(MAX_LINE_BYTES):
                yield line.decode("utf-8", "replace").rstrip("\r\n")
        except (OSError, http.client.HTTPException) as fault:
            raise Offline(repr(fault)) from fault
        finally:
            self.close()

    def close(self) -> None:
        """Drop the connection; the next exchange makes a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def headers(self) -> dict[str, str]:
        """Headers of every request."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def json(
        self, method: str, path: str, payload: Any = None, more: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """A JSON exchange, with `more` headers. Raises Offline, ServerBusy or Refused."""
        headers = {
            **self.headers(),
            **(more or {}),
            "Accept": "application/json",
            "Accept-Encoding": ", ".join(READABLE),
        }
        body = None
        if payload is not None:
            body = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
            headers["Content-Type"] = "application/json"
            if len(body) > 1024:
                body, headers["Content-Encoding"] = gzip.compress(body, 6), "gzip"
        status, got, data = self.raw(method, path, body, headers)
        return self._read(path, status, got, data)

    def _read(self, path: str, status: int, got: Any, data: bytes) -> dict[str, Any]:
        if status in BUSY:
            raise ServerBusy(wait_s(got.get("Retry-After")))
        try:
            answer = json.loads(unpack(got.get("Content-Encoding", "identity"), data, MAX_ANSWER_BYTES))
        except (ValueError, RecursionError) as fault:
            raise Offline(f"unreadable answer to status {status}") from fault
        if 400 <= status < 500 and isinstance(answer, dict) and isinstance(answer.get("code"), str):
            if answer["code"] == "bad_frame" and answer.get("retryable") is True:
                raise Offline("the request was cut on its way")
            raise Refused(status, answer)
        if not 200 <= status < 300 or not isinstance(answer, dict):
            raise Offline(f"status {status} is not this server's")
        if lack := fault_of(path, answer):
            raise Offline(f"not an answer of this protocol: {lack}")
        return answer


def problem(data: bytes) -> dict[str, Any]:
    """The problem in an answer's body; empty where there is none (tus answers have none to HEAD)."""
    try:
        found = json.loads(data or b"{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def header(got: Mapping[str, str], name: str) -> str:
    """A header that the answer must have. Raises Offline: a portal's page has none of ours."""
    value = got.get(name)
    if value is None:
        raise Offline(f"an answer without {name}")
    return str(value)


def _drain(answer: http.client.HTTPResponse, keep: Callable[[bytes], Any] | None = None) -> bytes:
    """The whole body (or b"", where `keep` takes it block by block), or an HTTPException: a cut one is never taken
    for a short one."""
    data, count = bytearray(), 0
    while block := answer.read(KEPT_BYTES if keep else READ_BYTES):
        count += len(block)
        (keep or data.extend)(block)
        if count > MAX_ANSWER_BYTES:
            raise http.client.HTTPException("the answer does not end")
    if answer.length:
        raise http.client.IncompleteRead(bytes(data), answer.length)
    return bytes(data)
