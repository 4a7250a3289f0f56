"""L4: a thousand sites move while twenty devices page. Every device ends with what is its own."""

import threading
from pathlib import Path

import pytest

from sync_protocol.client.session import FieldClient
from tests.pull.ground import CITY, Ground, held, settle


@pytest.mark.slow
def test_l4_a_thousand_sites_move_while_twenty_devices_page(town: Ground, tmp_path: Path) -> None:
    many = {f"m{n:04}": ("1a", "小学（示例）") for n in range(1000)}
    town.load(many)
    logins = [f"d{n:02}" for n in range(20)]
    for n, login in enumerate(logins):
        town.person(login, f"{CITY}/{'1a' if n % 2 else '1b'}")
    phones = [town.phone(login, tmp_path / login) for login in logins]
    troubles: list[BaseException] = []

    def page(phone: FieldClient, limit: int) -> None:
        try:
            settle(phone, most=600, limit=limit)
        except BaseException as trouble:
            troubles.append(trouble)

    threads = [threading.Thread(target=page, args=(phone, 20 + 13 * n)) for n, phone in enumerate(phones)]
    for thread in threads:
        thread.start()
    town.load({site: ("1b", name) for site, (_, name) in many.items()})
    for thread in threads:
        thread.join()
    assert not troubles, troubles[0]
    for n, phone in enumerate(phones):
        settle(phone)
        assert held(phone, "site") == town.truth({"district:1a" if n % 2 else "district:1b"})
        assert phone.store.state("doubts")["doubts"] == {}
        phone.close()
