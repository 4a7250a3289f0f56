"""The table of a problem's life as a page for people to proof-read: a diagram and every step. Words and layout only.

`make life` writes docs/problem-life.md from it; a test holds the file to the table.
"""

from collections.abc import Iterator, Mapping

from backend.problems import fields, rules, table
from backend.problems.table import STEPS, Step
from backend.programmes import limits

STATES: Mapping[str, str] = {
    "found": "已发现", "confirmed": "已确认", "assigned": "已交办", "returned": "已退回", "fixing": "整改中",
    "fix_reported": "已报整改", "to_verify": "待核实", "closed": "已销号", "refuted": "不成立", "merged": "已并案",
    "deleted": "已撤销",
}  # fmt: skip
ACTIONS: Mapping[str, str] = {
    "accept": "接收", "assign": "交办", "close": "销号", "confirm": "核实属实", "confirm_fix": "核实已整改", "danger": "又见危险", "delete": "撤销",
    "lift_stop": "解除停工", "merge": "并案", "refuse_fix": "整改不合格", "refute": "不成立", "reopen": "反销号",
    "report_fixed": "报告已整改", "restore": "恢复", "return": "退回", "separate": "拆案", "stop_work": "责令停工",
    "hand_over": "移交", "inform": "抄告", "ask_help": "协查函", "escalate": "超期提级", "consult": "组织专家论证",
    "decide_major": "集体研究定为重大", "decide_general": "集体研究定为一般", "list": "挂牌督办", "delist": "摘牌",
    "ask_extension": "申请延期", "grant_extension": "准予延期", "refuse_extension": "不予延期",
    "ask_acceptance": "申请验收", "pass_acceptance": "验收合格", "fail_acceptance": "验收不合格",
}  # fmt: skip
PEOPLE: Mapping[str, str] = {
    "inspector": "排查员", "expert": "专家", "school": "学校", "township": "镇办", "department": "部门", "district": "区县",
    "city": "市级", "supervisor": "督导", "system": "系统（到期自动）",
}  # fmt: skip
MUST: Mapping[str, str] = {
    table.EVIDENCE: "照片齐全", table.NO_STOP: "未处于停工", table.ACCEPTED: "挂牌的已验收合格", table.UNLISTED: "未挂牌督办",
    table.LISTED: "已挂牌督办", table.MAJOR: "已定为重大", table.CANDIDATE: "候选重大、尚未研究", table.FREE: "无待批申请",
    table.EXTENSION: "有待批的延期申请", table.ACCEPTANCE: "有待批的验收申请",
}  # fmt: skip
HEAD = """# 隐患的一生 · The life of a problem

由 `backend/problems/table.py` 与 `backend/packs/limits.v1.yaml` 的表生成（`make life`），请勿手改。Generated from the table; do not edit by hand.

"""
CLAIMS = """
整改与销号的声明晚到时从不拒收：若其间情况已变，转为**待核实**，由人裁定；若其间有人说危险仍在（{danger}），则不采信，留待本人处理。
A claim that something is fixed is never refused for coming late: where things have moved on it waits to be verified by a
person; where somebody has said meanwhile that the danger is there, it is parked for its author.
"""


def page() -> str:
    """The whole page as Markdown."""
    danger = "、".join(ACTIONS[a] for a in sorted(rules.DANGER & set(ACTIONS)))
    parts = (HEAD, *_diagram(), CLAIMS.format(danger=danger), *_waits(), *_steps(), *_limits(), *_edits())
    return "".join(parts)


def _diagram() -> Iterator[str]:
    yield "```mermaid\nstateDiagram-v2\n"
    for state, name in STATES.items():
        yield f'  state "{name} {state}" as {state}\n'
    yield "  [*] --> found : 排查发现\n  [*] --> fix_reported : 即查即改\n  state open {\n"
    for state, row in STEPS.items():
        for action, step in row.items():
            if rules.is_open(state) and action not in rules.ALWAYS and _is_inside(step):
                yield f"    {state} --> {step.to} : {ACTIONS[action]}\n"
    yield "  }\n  open --> to_verify : 晚到的整改、销号声明\n"
    for action, step in rules.ALWAYS.items():
        if step.to:
            yield f"  open --> {step.to} : {ACTIONS[action]}\n"
    for state, row in STEPS.items():
        for action, step in row.items():
            is_drawn = rules.is_open(state) and (action in rules.ALWAYS or _is_inside(step))
            if step.to and not is_drawn:
                yield f"  {state} --> {step.to} : {ACTIONS[action]}\n"
    yield "```\n"


def _is_inside(step: Step) -> bool:
    return step.to is not None and rules.is_open(step.to)


def _steps() -> Iterator[str]:
    yield "\n## 步骤 · Steps\n\n| 状态 | 操作 | 之后 | 谁可以 | 必须 | 须附 | 文书 | 另计时限 | 另告知 |\n|---|---|---|---|---|---|---|---|---|\n"
    for state, row in STEPS.items():
        for action, step in row.items():
            if rules.is_open(state) and action in rules.ALWAYS:
                continue
            yield _row(f"{STATES[state]} `{state}`", action, step)
    for action, step in rules.ALWAYS.items():
        yield _row("任一未了结状态", action, step)


def _row(where: str, action: str, step: Step) -> str:
    to = f"{STATES[step.to]} `{step.to}`" if step.to else "不变"
    stops = {True: "，停工生效", False: "，停工解除", None: ""}[step.stops_work]
    needs = "、".join(word for word, is_so in (("说明", step.needs_note), ("照片", step.needs_photo)) if is_so)
    waits = {None: "", "": "，申请了结"}.get(step.waits, "，申请待批")
    told = "、".join(PEOPLE[name] for name in step.told)
    paper, limit = f"`{step.document}`" if step.document else "", f"`{step.limit}`" if step.limit else ""
    must = "、".join(MUST[name] for name in step.must)
    return f"| {where} | {ACTIONS[action]} `{action}` | {to}{stops}{waits} | {_who(step.who)} | {must} | {needs} | {paper} | {limit} | {told} |\n"


def _waits() -> Iterator[str]:
    yield "\n## 轮到谁、到哪天 · Whose turn, until when\n\n未了结的每一件只有一个下一步责任方、一个时限；无法算出日期的，写明原因。\n\n"
    yield "| 状态 | 下一步 | 时限 |\n|---|---|---|\n"
    for state, wait in table.WAITS.items():
        yield f"| {STATES[state]} `{state}` | {PEOPLE[wait.next_actor]} | `{wait.clock}` |\n"
    for name, wait in table.APPLICATIONS.items():
        yield f"| {MUST[name]}时，任一状态 | {PEOPLE[wait.next_actor]} | `{wait.clock}` |\n"
    yield f"\n时限已过而无动作的，由系统逐级提级：{'、'.join(PEOPLE[level] for level in table.LEVELS)}，每级一次。\n"


def _limits() -> Iterator[str]:
    units = {"workdays": "个工作日", "days": "日", "quarter": "个季度末", "term": "个学期末"}
    shipped = limits.shipped()
    yield f"\n## 时限 · Limits（第{shipped.version}版）\n\n`fix` 为该问题自己的整改期限。\n\n| 时限 | 天数 | 依据 | 适用 |\n|---|---|---|---|\n"
    for row in shipped.rows.values():
        basis = f"《{row.basis['title']}》{row.basis['article'] or ''}" if row.basis else "无法定天数"
        marks = (row.scope, "" if row.is_enabled else "未启用", "由城市确认" if row.city_confirms else "")
        yield f"| {row.name_zh} `{row.id}` | {row.n}{units[row.unit]} | {basis} | {'；'.join(filter(None, marks))} |\n"


def _edits() -> Iterator[str]:
    words = {"manual": "由人合并", "device": "现场为准", "server": "后台为准", "union": "合并两者", "max": "取大者"}
    yield "\n## 可修改的字段 · Fields that may be edited\n\n| 字段 | 谁可以 | 两人同时改时 |\n|---|---|---|\n"
    for name, field in fields.EDITABLE.items():
        yield f"| `{name}` | {_who(field.who)} | {words[field.policy]} `{field.policy}` |\n"


def _who(roles: frozenset[str]) -> str:
    return "、".join(name for role, name in PEOPLE.items() if role in roles)


if __name__ == "__main__":
    print(page(), end="")
