"""Where nobody answers (责任空白), or soon will not: posts vacant now or within days, and how many open problems hang on them."""

from collections.abc import Iterator
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from backend.access.scope import Actor, is_within, lies
from backend.accounts import queries as accounts
from backend.accounts.rules import vacant_from
from backend.errors import NotFound
from backend.responsibility import queries
from backend.territory import queries as territory

DAYS, MOST_DAYS = 30, 366
LAYERS_ZH = {"city": "市级", "department": "部门", "district": "区县", "township": "镇办", "unit": "单位"}
COLUMNS = (
    ("layer_name", "层级"), ("area", "地区"), ("department", "部门"), ("posts", "岗位数"), ("vacant", "已空缺"), ("soon", "即将空缺"),
    ("missing", "未设岗位"), ("open_problems", "涉及未整改隐患"), ("first_vacant_on", "最早空缺日期"), ("titles", "空缺岗位"),
)  # fmt: skip


def report(session: Session, actor: Actor, node: str | None, today: date, days: int = DAYS) -> list[dict[str, Any]]:
    """One row per layer × area × department that has a gap, by the number of open problems that hang on it, then by place.

    `vacant`: nobody today; `soon`: held today, but not throughout the next `days`; `missing`: open problems name a layer for
    which there is no post at all. Raises NotFound for a node that is unknown or not the actor's.
    """
    path = _path(session, actor, node)
    posts = accounts.posts(session, actor, path)
    terms = accounts.terms(session, [post.id for post in posts])
    hanging, rows = queries.hanging(session, actor), dict[tuple[str, str, str], dict[str, Any]]()
    by_post: dict[str | None, int] = {}
    for (post_id, *_), n in hanging.items():
        by_post[post_id] = by_post.get(post_id, 0) + n
    for post in posts:
        row = _row(rows, post.layer, post.area_id or "", post.department_id or "")
        row["posts"] += 1
        held = [(t.from_on, t.to_on) for t in terms.get(post.id, ())]
        since = vacant_from(held, today, days)
        if since is not None:
            row["vacant" if since == today else "soon"] += 1
            row["open_problems"] += by_post.get(post.id, 0)
            row["empty"].append({"post_id": post.id, "title": post.title_zh, "vacant_on": since.isoformat()})
    for (post_id, layer, area, department), n in hanging.items():
        if post_id is None and (path is None or _lies(session, area, path)):
            row = _row(rows, layer, area or "", department)
            row["missing"] += 1
            row["open_problems"] += n
    found = [row for row in rows.values() if row["empty"] or row["missing"]]
    return sorted(found, key=lambda r: (-r["open_problems"], r["layer"], r["area_id"], r["department_id"]))


def _path(session: Session, actor: Actor, node: str | None) -> str | None:
    if node is None:
        return None
    path = territory.area_path(session, node)
    if path is None or not is_within(actor, path):
        raise NotFound(f"no area or site {node} of yours")
    return path


def _lies(session: Session, area: str | None, path: str) -> bool:
    at = territory.area_path(session, area) if area else None
    return at is not None and lies(at, path)


def _row(rows: dict[tuple[str, str, str], dict[str, Any]], layer: str, area: str, department: str) -> dict[str, Any]:
    numbers: dict[str, Any] = dict.fromkeys(("posts", "vacant", "soon", "missing", "open_problems"), 0)
    made = {"layer": layer, "area_id": area, "department_id": department, **numbers, "empty": []}
    return rows.setdefault((layer, area, department), made)


def words(session: Session, actor: Actor, node: str | None, today: date) -> Iterator[dict[str, Any]]:
    """The report as flat rows of words, for a file."""
    areas = territory.area_names(session, actor)
    departments = {d.id: d.name_zh for d in territory.departments(session, actor)}
    for row in report(session, actor, node, today):
        yield {
            **{name: row[name] for name in ("posts", "vacant", "soon", "missing", "open_problems")},
            "layer_name": LAYERS_ZH[row["layer"]], "area": areas.get(row["area_id"], row["area_id"]),
            "department": departments.get(row["department_id"], ""),
            "first_vacant_on": min((each["vacant_on"] for each in row["empty"]), default=""),
            "titles": "、".join(each["title"] for each in row["empty"]),
        }  # fmt: skip
