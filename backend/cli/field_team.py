"""What one team does on the field day: enrol, pull, inspect offline, sync over a bad line. Driven by field_day."""

import hashlib
import io
import random
import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from PIL import Image

from backend.cli.bad_network import BadNetwork
from backend.geometry import from_wgs84
from sync_protocol.client.session import FieldClient
from sync_protocol.client.transport import Offline, ServerBusy

REMARKS = ("现场杂物堆放，已拍照", "标志缺失，需补设", "设施损坏，责令整改", "无值守记录")


@dataclass
class Team:
    """One team with its phone. `done` are the op ids it recorded, `photos` the hashes it took."""

    id: str
    n: int
    district: str
    home: Path
    url: str
    seed: int
    photo_folder: Path
    ops: list[str] = field(default_factory=list)
    photos: set[str] = field(default_factory=set)
    sites: set[str] = field(default_factory=set)

    def start(self, code: str) -> None:
        """Enrol and pull the day's tasks."""
        self.dice = random.Random(f"{self.seed}:{self.n}")
        self.line = BadNetwork(self.url, random.Random(f"{self.seed}:line:{self.n}"))
        self.client = FieldClient(self.home, self.url, transport=self.line)
        self.client.enrol(code, f"{self.id}-phone")
        while not self._calm(self.client.pull):
            continue

    def _calm(self, step: Callable[[], bool]) -> bool:
        try:
            return step()
        except (Offline, ServerBusy):
            return False

    def inspect(self, count: int, shared_site: str) -> None:
        """Record `count` checklists offline, one of them at the hazard that another team sees too, and one loose report."""
        templates = {t["programme"]: t for t in self.client.rows("template")}
        sites = {s["id"]: s for s in self.client.rows("site")}
        tasks = sorted(self.client.rows("task"), key=lambda task: task["id"])
        own = sorted({task["site"] for task in tasks})
        chosen = [
            shared_site,
            *self.dice.sample([s for s in own if s != shared_site], min(count, len(own) - 1)),
        ]
        for site_id in chosen:
            programme = "campus-perimeter" if sites[site_id]["kind"] == "school" else "fire-hazard"
            task = next((t["id"] for t in tasks if t["site"] == site_id and t["programme"] == programme), None)
            self._checklist(sites[site_id], task, templates[programme], site_id == shared_site)
        self._report(sites[chosen[-1]], templates["campus-perimeter"])

    def look_again(self, sites: Collection[str]) -> bool:
        """The second visit: pull, report every other problem of these sites that this team found as fixed, with a photo, and sync."""
        is_pulled = self.sync()
        own = self.sites & set(sites)
        found = [
            row
            for row in self.client.rows("problem")
            if row["site_id"] in own and row["lon"] is not None and row["state"] == "assigned"
        ]
        for row in sorted(found, key=lambda row: (row["site_id"], row["item"]))[::2]:
            shot = self._photo(f"fixed:{row['site_id']}:{row['item']}", (row["lon"], row["lat"]))
            args = {"action": "report_fixed", "note": "现场已整改", "photos": [digest(shot)]}
            self.ops.append(
                self.client.record("problem.act", ("problem", row["id"]), args, [shot], base={"ver": row["ver"]})
            )
            self.photos.add(digest(shot))
        return is_pulled and self.sync()

    def _checklist(self, site: dict[str, Any], task: str | None, template: dict[str, Any], is_shared: bool) -> None:
        codes = [item["code"] for item in template["items"]]
        dice = random.Random(f"{self.seed}:{site['id']}")
        failed = sorted(dice.sample(codes, 2 if is_shared else dice.choice([0, 0, 1, 1, 2])))
        shots = {code: self._photo(f"{site['id']}:{code}", site["at"]) for code in failed}
        (west, south), crs = site["at"], dice.choice(["wgs84", "gcj02", "bd09"])
        lon, lat = (float(v) for v in from_wgs84(west, south, crs))
        args = {
            "task_id": task, "site_id": site["id"], "programme": template["programme"], "template_version": template["version"],
            "team_id": self.id, "fix": {"lon": lon, "lat": lat, "accuracy_m": dice.choice([5, 8, 12, 30]), "crs": crs},
            "answers": {code: "fail" if code in failed else "pass" for code in codes},
            "remarks": {code: dice.choice(REMARKS) for code in failed}, "values": {},
            "photos": {code: [digest(path)] for code, path in shots.items()}, "on_the_spot": [],
            "started_at": datetime.now().astimezone().isoformat(), "ended_at": datetime.now().astimezone().isoformat(),
        }  # fmt: skip
        self._record(
            "inspection.submit",
            "inspection",
            args,
            list(shots.values()),
            f"{site['id']}:{template['programme']}",
        )
        self.sites.add(site["id"])

    def _report(self, near: dict[str, Any], template: dict[str, Any]) -> None:
        item = template["items"][self.n % len(template["items"])]["code"]
        fixes: dict[int, Any] = {0: None, 1: {"lon": 0.0, "lat": 0.0, "accuracy_m": 10, "crs": "wgs84"}}
        lon, lat = (float(v) for v in from_wgs84(near["at"][0] + 0.0011, near["at"][1], "gcj02"))
        fix = fixes.get(self.n, {"lon": lon, "lat": lat, "accuracy_m": 10, "crs": "gcj02"})
        args = {"item": item, "programme": template["programme"], "template_version": template["version"], "site_id": None,
                "team_id": self.id, "fix": fix, "remark": "路边发现", "photos": []}  # fmt: skip
        self._record("problem.report", "finding", args, [], f"loose:{self.n}")

    def _record(self, verb: str, kind: str, args: dict[str, Any], photos: Sequence[Path], name: str) -> None:
        ent = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.id}:{name}"))
        self.ops.append(self.client.record(verb, (kind, ent), args, photos))
        self.photos |= {digest(path) for path in photos}

    def _photo(self, name: str, at: Sequence[float]) -> Path:
        """A sample picture from the folder for some, a generated one with EXIF position for the others."""
        shipped = sorted(self.photo_folder.glob("zibo_*_ok.jpg")) if self.photo_folder.is_dir() else []
        if shipped and self.dice.random() < 0.05:
            return shipped[self.dice.randrange(len(shipped))]
        path = self.home / f"{hashlib.sha256(f'{self.id}:{name}'.encode()).hexdigest()[:16]}.jpg"
        path.write_bytes(picture(f"{self.id}:{name}", *at))
        return path

    def sync(self, tries: int = 60) -> bool:
        """Ops, photos, pull, until quiet."""
        return bool(self.client.sync(tries=tries, jitter=random.Random(f"{self.seed}:wait:{self.n}")))


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def picture(name: str, lon: float, lat: float) -> bytes:
    """A small JPEG that no other name gives, with its position in EXIF (WGS-84)."""
    dice = random.Random(name)
    small = Image.frombytes("RGB", (40, 30), dice.randbytes(40 * 30 * 3))
    exif = Image.Exif()
    gps = {1: "N", 2: _dms(lat), 3: "E", 4: _dms(lon), 18: "WGS-84"}
    exif[0x0132] = datetime.now().strftime("%Y:%m:%d %H:%M:%S")
    exif.get_ifd(0x8825).update(gps)
    buffer = io.BytesIO()
    small.resize((640, 480), Image.Resampling.BILINEAR).save(buffer, "JPEG", quality=80, exif=exif)
    return buffer.getvalue()


def _dms(degrees: float) -> tuple[float, float, float]:
    whole, minutes = divmod(degrees * 60, 60)[0], degrees * 60 % 60
    return float(whole), float(int(minutes)), round(minutes % 1 * 60, 4)
