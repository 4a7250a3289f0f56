"""One HTTP POST to an address that a person has typed: to the public network only, once, within limits (SSRF, ASVS V13).

The host is resolved once, each address it has is judged, and the connection is made to a judged address: a name that
answers differently a moment later gains nothing. No redirect is followed, no proxy asked, nothing of the answer is read
but its status and headers, and a clock ends it however slowly bytes come. Never a secret in an error's text.
"""

import http.client
import re
import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

CONNECT_S, WHOLE_S = 5.0, 10.0
Networks = Sequence[IPv4Network | IPv6Network]
Resolve = Callable[..., Sequence[Any]]
# Public by their numbers and yet inside: clouds' own servers; and networks that carry an IPv4 address inside.
_INSIDE = (ip_network("168.63.129.16/32"),)
_NAT64 = ip_network("64:ff9b::/96")
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]+\]")
_REST = re.compile(r"[!-~]*")


class NotCalled(Exception):
    """An address that is not called, or a call that came to nothing. `is_final`: it never will."""

    def __init__(self, why: str, is_final: bool = False) -> None:
        super().__init__(why)
        self.is_final = is_final


@dataclass(frozen=True, slots=True)
class Place:
    """A judged URL."""

    is_tls: bool
    host: str
    port: int
    path: str


def place_of(url: str, inside: Networks = ()) -> Place:
    """What a URL names. Raises NotCalled for what is no https URL of a host (http where something inside may be reached)."""
    if not _REST.fullmatch(url) or len(url) > 500:
        raise NotCalled("a URL is at most 500 ASCII characters", is_final=True)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as fault:
        raise NotCalled("not a URL", is_final=True) from fault
    if parts.scheme != "https" and not (parts.scheme == "http" and inside):
        raise NotCalled("https only", is_final=True)
    host = parts.netloc.rpartition(":")[0] if port is not None else parts.netloc
    if (
        parts.username is not None
        or parts.password is not None
        or not _HOST.fullmatch(host)
        or port == 0
        or parts.fragment
    ):
        raise NotCalled("a host without user, password or fragment", is_final=True)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Place(parts.scheme == "https", host.strip("[]"), port or (443 if parts.scheme == "https" else 80), path)


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address lies in the public network, whatever it is wrapped in."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if address in _NAT64 or address.packed[:12] == bytes(12):
            inner = IPv4Address(address.packed[12:])
        if inner is not None:
            return is_public(inner)
        if address.is_site_local:
            return False
    is_odd = address.is_multicast or address.is_reserved or address.is_unspecified or address.is_loopback
    return address.is_global and not is_odd and not any(address in n for n in _INSIDE if n.version == address.version)


def addresses(place: Place, inside: Networks = (), resolve: Resolve = socket.getaddrinfo) -> list[tuple[int, Any]]:
    """(family, socket address) of a host, resolved once. Raises NotCalled where it has none, or one that is not public."""
    try:
        found = resolve(place.host, place.port, type=socket.SOCK_STREAM)
    except OSError as fault:
        raise NotCalled("the host's name has no address") from fault
    judged = []
    for family, _, _, _, where in found:
        address = ip_address(str(where[0]).partition("%")[0])
        plain = getattr(address, "ipv4_mapped", None) or address
        if not is_public(address) and not any(plain in n for n in inside if n.version == plain.version):
            raise NotCalled("the host lies inside: only public addresses are called", is_final=False)
        judged.append((family, where))
    if not judged:
        raise NotCalled("the host's name has no address")
    return judged


class _Connection(http.client.HTTPConnection):
    """To a judged address; the name is for the certificate and the Host header alone."""

    def __init__(self, place: Place, where: tuple[int, Any], tls: ssl.SSLContext | None) -> None:
        super().__init__(place.host, place.port, timeout=CONNECT_S)
        self._place, self._where, self._tls = place, where, tls

    def connect(self) -> None:
        family, address = self._where
        line = socket.socket(family, socket.SOCK_STREAM)
        self.sock = line
        line.settimeout(CONNECT_S)
        line.connect(address)
        if self._place.is_tls:
            context = self._tls or ssl.create_default_context()
            wrapped = context.wrap_socket(line, server_hostname=self._place.host, do_handshake_on_connect=False)
            self.sock = wrapped  # before the handshake, so that the clock can end it too
            wrapped.do_handshake()


def post(
    url: str, body: bytes, headers: Mapping[str, str], inside: Networks = (), resolve: Resolve = socket.getaddrinfo,
    whole_s: float = WHOLE_S, tls: ssl.SSLContext | None = None,
) -> tuple[int, str | None]:  # fmt: skip
    """POST `body`; (status, Retry-After). Raises NotCalled for whatever else happened."""
    place = place_of(url, inside)
    line = _Connection(place, addresses(place, inside, resolve)[0], tls)
    over = threading.Event()

    def end() -> None:
        over.set()
        if line.sock is not None:
            try:
                line.sock.shutdown(socket.SHUT_RDWR)
            except OSError:  # it was never connected, or has ended by itself
                line.sock.close()

    timer = threading.Timer(whole_s, end)
    timer.daemon = True
    timer.start()
    try:
        line.request("POST", place.path, body, dict(headers))
        answer = line.getresponse()
        if over.is_set():  # headers that our own clock has cut end like whole ones
            raise TimeoutError
        return answer.status, answer.getheader("Retry-After")
    except (OSError, http.client.HTTPException, ValueError) as fault:
        raise NotCalled("no answer in time" if over.is_set() else type(fault).__name__) from fault
    finally:
        timer.cancel()
        line.close()
