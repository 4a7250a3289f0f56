"""What the `at` of an op proves about when it was recorded (rules P80–P82). Whatever a device writes there is read, and
nothing in it can refuse the op, delay it or change what becomes of it (I15). Pure.

`at`: {wall, tz, mono, boot, tok, anchor?: {mono, unc, tok?}}. `tok` is the newest token that the device had; `anchor`
ties the device's monotonic clock to a token (`tok` unless it names its own) in the boot of the op.
"""

from collections.abc import Callable, Mapping
from typing import Any

from sync_protocol.clock import Anchor, Estimate, place
from sync_protocol.timetoken import read

MAX_BOOT = 64
MAX_MONO_MS = 1 << 53


class Witness:
    """Reads the evidence of the ops of one request, received at `received_ms`. `present` is the anchor that the request
    itself carries: it dates ops that were recorded before their boot had one. `wall_ms` reads RFC 3339 (None: no such
    time)."""

    def __init__(
        self,
        keys: tuple[bytes, ...],
        received_ms: int,
        wall_ms: Callable[[str], int | None],
        present: object = None,
    ) -> None:
        self._keys, self._received_ms, self._wall_ms = keys, received_ms, wall_ms
        self._said: dict[object, int | None] = {}
        self._present = self._anchor(present, None, present) if isinstance(present, Mapping) else None

    def recorded(self, at: Mapping[str, Any]) -> Estimate:
        """When the op with this `at` was recorded."""
        token, boot = at.get("tok"), _boot(at)
        known = self._server_ms(token)
        own = at.get("anchor")
        anchor = self._anchor(own, token, at) if isinstance(own, Mapping) else None
        anchors = [found for found in (anchor, self._present) if found is not None]
        proofs = [ms for ms in (known, self._server_ms(own.get("tok")) if anchor and own else None) if ms is not None]
        wall = at.get("wall")
        wall_ms = self._wall_ms(wall) if isinstance(wall, str) else None
        return place(anchors, boot, _mono(at), wall_ms, max(proofs, default=None), self._received_ms)

    def _anchor(self, said: Any, token: object, boot_of: Any) -> Anchor | None:
        """At the device's `mono` the server's time was the token's, and half of what the exchange took later."""
        server_ms, boot = self._server_ms(said.get("tok", token)), _boot(boot_of)
        mono, uncertainty = _mono(said), _whole(said.get("unc"))
        if not boot or server_ms is None or mono is None or uncertainty is None:
            return None
        return Anchor(boot, mono, server_ms + uncertainty, uncertainty) if 0 <= uncertainty <= MAX_MONO_MS else None

    def _server_ms(self, token: object) -> int | None:
        """The time that a token proves; many ops of a push name the same one."""
        if not isinstance(token, str):
            return None
        if token not in self._said:
            found = read(token, self._keys)
            self._said[token] = found.server_ms if found else None
        return self._said[token]


def _boot(at: Mapping[str, Any]) -> str:
    boot = at.get("boot")
    return boot if isinstance(boot, str) and len(boot) <= MAX_BOOT else ""


def _mono(at: Mapping[str, Any]) -> int | None:
    mono = _whole(at.get("mono"))
    return mono if mono is not None and abs(mono) <= MAX_MONO_MS else None


def _whole(value: object) -> int | None:
    """A finite number as an integer; browsers' clocks have fractions."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return int(value)
    except (OverflowError, ValueError):
        return None
