"""HTTP of the reference client, with the standard library. Every doubt is `Offline`: nothing local
changes then."""

import gzip
import http.client
import json
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_S = 30.0


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


class Transport:
    """One keep-alive connection to one server."""

    def __init__(self, base_url: str, timeout_s: float = TIMEOUT_S) -> None:
        self._url, self._timeout_s = urlsplit(base_url), timeout_s
        self._connection: http.client.HTTPConnection | None = None
        self.token = ""

    def raw(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, Any, bytes]:
        """One exchange: (status, headers, body). Raises Offline."""
        kind = http.client.HTTPSConnection if self._url.scheme == "https" else http.client.HTTPConnection
        try:
            if self._connection is None:
                self._connection = kind(self._url.netloc, timeout=self._timeout_s)
            self._connection.request(method, path, body, headers)
            answer = self._connection.getresponse()
            data = answer.read()
        except (OSError, http.client.HTTPException) as fault:
            self.close()
            raise Offline(repr(fault)) from fault
        if answer.will_close:
            self.close()
        return answer.status, answer.headers, data

    def close(self) -> None:
        """Drop the connection; the next exchange makes a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def headers(self) -> dict[str, str]:
        """Headers of every request."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def json(self, method: str, path: str, payload: Any = None) -> dict[str, Any]:
        """A JSON exchange. Raises Offline, ServerBusy or Refused."""
        headers = {**self.headers(), "Accept": "application/json", "Accept-Encoding": "gzip"}
        body = None
        if payload is not None:
            body = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
            headers["Content-Type"] = "application/json"
            if len(body) > 1024:
                body, headers["Content-Encoding"] = gzip.compress(body, 6), "gzip"
        status, got, data = self.raw(method, path, body, headers)
        return self._read(status, got, data)

    def _read(self, status: int, got: Any, data: bytes) -> dict[str, Any]:
        try:
            answer = json.loads(gzip.decompress(data) if got.get("Content-Encoding") == "gzip" else data)
        except (ValueError, OSError, EOFError) as fault:
            raise Offline(f"unreadable answer to status {status}") from fault
        if status in (429, 503):
            raise ServerBusy(float(got.get("Retry-After") or 5))
        if status >= 500 or not isinstance(answer, dict):
            raise Offline(f"status {status}")
        if status >= 400:
            raise Refused(status, answer)
        if "epoch" not in answer:
            raise Offline("an answer without an epoch is not this server's")
        return answer
