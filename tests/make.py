"""Builders: one for each kind of op and thing. Pure where they can be; a test says what matters and leaves out the rest."""

import base64
import hashlib
import io
import os
import time
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import orjson
import yaml
from PIL import Image

from backend.packs import shipped_packs
from backend.problems.models import Problem
from sync_protocol.identity import chain_head, fingerprint, uuid7

if TYPE_CHECKING:
    from tests.cast import Phone, World

PROGRAMME = "campus-perimeter"
ITEM = "A101"


def new_id() -> str:
    """An id as a device mints it (P2)."""
    return uuid7(int(time.time() * 1000), os.urandom(10))


def body(verb: str, ent: tuple[str, str], args: dict[str, Any], **more: Any) -> str:
    """The text of one op (P1), with whatever members `more` adds or replaces."""
    made = {"op": new_id(), "verb": verb, "v": 1, "ent": {"t": ent[0], "id": ent[1]}, "base": None, "args": args,
            "at": {"wall": "2026-11-23T14:01:02+08:00"}}  # fmt: skip
    return orjson.dumps({**made, **more}).decode()


def chain(replica: str, seq: int, head: str, bodies: Sequence[str]) -> list[dict[str, Any]]:
    """Bodies as a replica sends them, from `seq` and `head` on (P4)."""
    ops = []
    for n, text in enumerate(bodies, seq):
        ops.append({"seq": n, "prev": head, "body": text})
        head = chain_head(head, replica, n, fingerprint(text))
    return ops


@cache
def items(programme: str = PROGRAMME) -> tuple[str, ...]:
    """Codes of the items that a shipped checklist asks."""
    packs = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in shipped_packs()]
    pack = next(p for p in packs if p["programme"] == programme)
    return tuple(item["code"] for item in pack["items"] if item["enabled"])


# ---- args of the verbs


def inspection(site: str, failed: Sequence[str] = (), **more: Any) -> dict[str, Any]:
    """args of `inspection.submit`: a whole checklist of a school, with these items failed."""
    answers = {code: "fail" if code in failed else "pass" for code in items()}
    return {"site_id": site, "programme": PROGRAMME, "template_version": 1, "answers": answers, **more}


def report(site: str | None, item: str = ITEM, **more: Any) -> dict[str, Any]:
    """args of `problem.report`."""
    return {
        "site_id": site,
        "item": item,
        "programme": PROGRAMME,
        "template_version": 1,
        "remark": "路边发现（示例）",
        **more,
    }


def fix(lon: float = 118.06, lat: float = 36.81, **more: Any) -> dict[str, Any]:
    """A position; by default in district A."""
    return {"lon": lon, "lat": lat, "accuracy_m": 8, "crs": "wgs84", **more}


def act(action: str, **more: Any) -> dict[str, Any]:
    """args of `problem.act`."""
    return {"action": action, **more}


def assign(department: str = "market", **more: Any) -> dict[str, Any]:
    """args of `problem.assign`."""
    return {"department_id": department, **more}


def user(login: str, **more: Any) -> dict[str, Any]:
    """args of `user.add`."""
    return {"login": login, "name": "新同事（示例）", "role": "inspector", **more}


def sweep(team: str, **more: Any) -> dict[str, Any]:
    """args of `sweep.open` with one team without sites to speak of."""
    return {
        "title": "补查（示例）",
        "programmes": [PROGRAMME],
        "teams": [{"id": team, "name": "丙组（示例）", "areas": ["370303101"]}],
        **more,
    }


# ---- things


def problem(world: "World", phone: "Phone", site: str, item: str = ITEM, **more: Any) -> Any:
    """A problem that a phone raised at a site: its row. `more` are further args of its checklist."""
    ent = new_id()
    done = phone.record("inspection.submit", ("inspection", ent), inspection(site, [item], **more))
    assert done["status"] == "applied", done
    (row,) = world.look(Problem.__table__.select().where(Problem.id == f"p-{ent}:{item}"))
    return row


def picture(width: int = 64, height: int = 48) -> bytes:
    """A small JPEG that is like no other."""
    buffer = io.BytesIO()
    Image.frombytes("RGB", (width, height), os.urandom(width * height * 3)).save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def sha(data: bytes) -> str:
    """The name of a photo."""
    return hashlib.sha256(data).hexdigest()


def tus(**more: Any) -> dict[str, str]:
    """Headers of a tus request: `_` in a name is `-`."""
    return {"Tus-Resumable": "1.0.0"} | {
        name.replace("_", "-"): str(value) for name, value in more.items() if value is not None
    }


def metadata(name: str, mime: str = "image/jpeg") -> str:
    """Upload-Metadata of a photo with this hash."""
    return (
        f"sha256 {base64.b64encode(name.encode()).decode()},mime {base64.b64encode(mime.encode()).decode()}"
    )


def upload(phone: "Phone", data: bytes) -> str:
    """A whole photo, sent in one piece; its hash."""
    made = phone.ask(
        "POST", "/sync/v1/blobs", headers=tus(Upload_Length=len(data), Upload_Metadata=metadata(sha(data)))
    )
    assert made.status_code == 201, made.text
    headers = tus(Upload_Offset=0, Content_Type="application/offset+octet-stream")
    sent = phone.ask("PATCH", made.headers["Location"], data=data, headers=headers)
    assert sent.status_code == 204, sent.text
    return sha(data)
