"""Which addresses are called (SSRF), and that one call ends whatever its receiver does. No database."""

import socket
import time
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.notices import calling
from backend.notices.calling import NotCalled, addresses, is_public, place_of, post
from tests.notices.receiver import receiver

INSIDE = (ip_network("127.0.0.0/8"),)
NOT_PUBLIC = (
    "127.0.0.1", "127.8.9.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.0.1", "169.254.169.254", "100.100.100.200",
    "100.64.0.1", "168.63.129.16", "192.0.2.1", "198.18.0.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "::", "::1", "fe80::1", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1",
    "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:db8::1",
)  # fmt: skip
PUBLIC = ("1.1.1.1", "114.114.114.114", "2400:3200::1", "::ffff:1.1.1.1", "64:ff9b::101:101")
BAD_URLS = (
    "http://example.com/", "ftp://example.com/", "file:///etc/passwd", "//example.com/", "https://", "https:///x", "https://user@example.com/",
    "https://a:b@example.com/", "https://example.com:99999/", "https://example.com:0/", "https://exa mple.com/", "https://例子.中国/",
    "https://example.com/#x", "https://example.com/\r\nHost: x", "https://[::1", "https://" + "a" * 500, "gopher://x/", "https://exam%70le.com/",
    "https://1.1.1.1\\@127.0.0.1/", "javascript:alert(1)", "",
)  # fmt: skip


def resolving(*names: str) -> Any:
    """A resolver that answers so, whatever it is asked."""

    def resolve(host: str, port: int, **_: Any) -> list[Any]:
        family = {4: socket.AF_INET, 6: socket.AF_INET6}
        return [(family[ip_address(n).version], socket.SOCK_STREAM, 6, "", (n, port)) for n in names]

    return resolve


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_what_lies_inside_is_never_called_whatever_it_is_wrapped_in(address: str) -> None:
    assert not is_public(ip_address(address))
    with pytest.raises(NotCalled):
        addresses(place_of("https://example.com/"), resolve=resolving(address))
    with pytest.raises(NotCalled):
        addresses(place_of("https://example.com/"), resolve=resolving("1.1.1.1", address))


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_public_is_called(address: str) -> None:
    assert is_public(ip_address(address))
    assert [where[0] for _, where in addresses(place_of("https://example.com/"), resolve=resolving(address))] == [address]


@given(st.ip_addresses(v=4))
def test_an_address_wrapped_in_another_is_judged_as_what_it_is(inner: Any) -> None:
    n = int(inner)
    for outer in (f"::ffff:{inner}", f"64:ff9b::{n >> 16:x}:{n & 0xFFFF:x}", f"2002:{n >> 16:x}:{n & 0xFFFF:x}::1"):
        assert is_public(ip_address(outer)) == is_public(inner), outer


@pytest.mark.parametrize("url", BAD_URLS)
def test_a_url_that_is_no_https_address_of_a_host_is_refused(url: str) -> None:
    with pytest.raises(NotCalled) as refused:
        place_of(url)
    assert refused.value.is_final


@pytest.mark.parametrize("url", ["http://2130706433/", "http://0x7f.1/", "http://017700000001/", "http://localhost/", "http://127.1/"])
def test_odd_spellings_of_loopback_are_loopback(url: str) -> None:
    """The system's own resolver reads them; what it finds is judged, not how it was written."""
    with pytest.raises(NotCalled):
        addresses(place_of(url, inside=(ip_network("192.0.2.0/24"),)), inside=(ip_network("192.0.2.0/24"),))


def test_a_name_that_answers_differently_a_moment_later_is_asked_once() -> None:
    """DNS rebinding: the first answer is judged and called, the second never heard."""
    asked = []

    def resolve(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return resolving("127.0.0.1" if len(asked) == 1 else "169.254.169.254")(host, port)

    with receiver() as made:
        status, _ = post(f"http://rebind.example:{made.port}/", b"{}", {}, INSIDE, resolve)
    assert status == 200 and asked == ["rebind.example"]
    assert made.seen[0][0]["host"] == f"rebind.example:{made.port}"


def test_a_redirect_is_not_followed() -> None:
    with receiver() as made:
        made.answers = [(302, f"Location: http://127.0.0.1:{made.port}/elsewhere\r\n")]
        assert post(made.url, b"{}", {}, INSIDE)[0] == 302
    assert len(made.seen) == 1


@pytest.mark.parametrize("fault", ["reset", "silence", "drip", "flood", "garbage"])
def test_a_call_ends_in_time_whatever_its_receiver_does(fault: str) -> None:
    begun = time.monotonic()
    with receiver() as made:
        made.answers = [fault]
        with pytest.raises(NotCalled):
            post(made.url, b"{}", {}, INSIDE, whole_s=1.0)
    assert time.monotonic() - begun < 4


def test_a_receiver_that_is_not_there_and_one_without_tls_are_told_apart_from_success() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(NotCalled):
        post(f"http://127.0.0.1:{port}/", b"{}", {}, INSIDE)
    with receiver() as made, pytest.raises(NotCalled):
        made.answers = ["garbage"]
        post(f"https://127.0.0.1:{made.port}/", b"{}", {}, INSIDE, whole_s=1.0)


def test_nothing_of_what_was_sent_is_in_the_text_of_a_fault() -> None:
    with receiver() as made:
        made.answers = ["garbage"]
        with pytest.raises(NotCalled) as fault:
            post(made.url, b"a secret", {"webhook-signature": "v1,secret"}, INSIDE, whole_s=1.0)
    assert "secret" not in str(fault.value) and calling.WHOLE_S <= 10
