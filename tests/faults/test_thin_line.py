"""A phone in the hills: 30 kbit/s, 1 s there and back, 5 % of the segments lost (T6). What an inspector needs comes
within 30 s of the line, and a photo gets through however often it is given up: no livelock."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sync_protocol.client.session import FieldClient
from sync_protocol.client.transport import Offline
from tests.faults.audit import faults_of, words_of
from tests.faults.phones import Photographer, Pusher, op_body, sites
from tests.faults.rig import Place, serving
from tests.faults.shaper import ThinLine

BYTES_PER_S, RTT_S, LOSS = 3750.0, 1.0, 0.05
BOOTSTRAP_S = 30.0


@pytest.mark.parametrize("speed", [4.0, pytest.param(1.0, marks=pytest.mark.slow)])
def test_t6_everything_an_inspector_needs_comes_over_a_thin_line_in_half_a_minute(
    place_of: Callable[[str], Place], tmp_path: Path, speed: float
) -> None:
    place = place_of("sqlite")
    with serving(place) as server, ThinLine(server.port, 6, BYTES_PER_S, RTT_S, LOSS, speed) as thin:
        client = FieldClient(tmp_path / "phone", thin.url, timeout_s=30 / speed)
        client.enrol(place.code(1), "thin")
        down, up, lost, started = thin.down_bytes, thin.up_bytes, thin.lost, time.monotonic()
        pages = 1
        while not client.pull():
            pages += 1
        real_s = (time.monotonic() - started) * speed
        down, up, lost = thin.down_bytes - down, thin.up_bytes - up, thin.lost - lost
        line_s = (down + up) / BYTES_PER_S + pages * RTT_S + lost * (RTT_S + 1400 / BYTES_PER_S)
        assert len(client.rows("site")) > 1000 and len(client.rows("task")) > 100
        assert line_s < BOOTSTRAP_S, (
            f"{down} bytes down in {pages} pages, {lost} segments lost: {line_s:.1f} s of the line"
        )
        assert speed > 1 or real_s < BOOTSTRAP_S * 1.5, f"{real_s:.1f} s in all"
        client.close()
        assert words_of(server) == []


def test_t6_a_photo_gets_through_a_line_on_which_no_request_lasts_long_enough(
    place_of: Callable[[str], Place], tmp_path: Path
) -> None:
    place, speed = place_of("sqlite"), 4.0
    with serving(place) as server, ThinLine(server.port, 7, BYTES_PER_S, RTT_S, LOSS, speed) as thin:
        path = tmp_path / "photo.jpg"
        one = Photographer("", "thin")
        path.write_bytes(one.data + bytes(90_000 - len(one.data)))
        client = FieldClient(tmp_path / "phone", server.url, timeout_s=12 / speed)  # 12 s: 45 kB at best
        client.enrol(place.code(1), "thin-photo")
        pusher = Pusher.enrol(place, server)
        args = json.loads(op_body("u-f1", "tf1", sites(place)[0], pusher.dice))["args"]
        client.record("inspection.submit", ("inspection", "thin-1"), args, [path])
        client.transport._url = client.transport._url._replace(netloc=thin.url.removeprefix("http://"))
        client.transport.close()
        (sha, *_), tries = client.store.waiting()[0], 0
        while client.store.waiting() and tries < 20:
            tries += 1
            try:
                client.upload()
            except Offline:
                continue
        assert client.store.waiting() == [] and tries > 2, tries
        client.close()
        assert words_of(server) == []
    assert faults_of(place, {}, {sha}) == []
