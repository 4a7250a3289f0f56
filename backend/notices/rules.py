"""Who is told of what, as tables that can be proof-read: event → kind, kind → roles and words. Pure.

A kind names roles; who of them is told is decided by what they see (access/scope.py), so the department is the one that
leads, the school the one it happened at. Nobody is told of what they did themselves. Never a person, place or remark here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Kind:
    """What people are told: in which words, who. `finder`: whoever raised the problem; `author`: whose op it was.

    `named`: the account that the fact names and nobody else; where it names none, as the roles say;
    `office`: of the roles only those who act for the office that it went to;
    `by_level`: of the roles only the one that an overdue clock has come to (township, district, city)."""

    zh: str
    en: str
    who: frozenset[str]
    is_urgent: bool = False
    finder: bool = False
    author: bool = False
    by_level: bool = False
    office: bool = False
    named: bool = False


def _to(*roles: str) -> frozenset[str]:
    return frozenset(roles)


# Roles that work at an office: they are told of what comes to it, and written to once a working day (HUYUAN_DIGEST_HOUR) about
# what they have not read; urgent kinds go out at once.
OFFICES = _to("city", "district", "department", "township", "school")
KINDS: Mapping[str, Kind] = {
    "problem.assigned": Kind("隐患交办到您的部门或单位", "A problem has been assigned to you", _to("department", "school", "township")),
    "problem.major": Kind("疑似重大隐患，请尽快判定", "A problem may be a major one: decide", _to("city", "district", "department"), is_urgent=True),
    "problem.returned": Kind("隐患被退回，请重新交办", "A problem was returned: assign it anew", _to("district", "city")),
    "problem.fix_reported": Kind("已报整改，请复查", "A fix was reported and awaits re-inspection", _to("district"), finder=True),
    "problem.fix_refused": Kind("复查未通过，请继续整改", "The fix was refused: the problem is still there", _to("department", "school", "township")),
    "problem.to_verify": Kind("迟到的整改结论，请核实", "A claim came late: verify it", _to("district", "city")),
    "problem.danger": Kind("再次发现危险", "The danger was seen again", _to("district", "department", "school"), is_urgent=True),
    "problem.reopened": Kind("已销号的隐患重新打开", "A closed problem was reopened", _to("district", "department", "school"), is_urgent=True),
    "problem.work_stopped": Kind("已责令停止作业", "Work has been stopped", _to("city", "district", "department", "school"), is_urgent=True),
    "problem.stop_lifted": Kind("停止作业已解除", "The stop of work was lifted", _to("district", "department", "school")),
    "problem.overdue": Kind("整改已逾期", "The fix is overdue", _to("district", "department", "school", "township"), is_urgent=True),
    "problem.escalated": Kind("逾期隐患已提级", "An overdue problem was escalated", _to("city", "district", "township"), is_urgent=True, by_level=True),
    "problem.judged_major": Kind("已判定为重大隐患", "Judged a major hazard", _to("city", "district", "department", "school"), is_urgent=True),
    "problem.listed": Kind("已挂牌督办", "Put under listed supervision", _to("district", "department", "school"), is_urgent=True),
    "problem.asked": Kind("收到延期或验收申请，请决定", "An extension or acceptance was applied for", _to("district", "city")),
    "problem.decided": Kind("延期或验收申请已有决定", "An application was decided", _to("department", "school")),
    "problem.closed": Kind("隐患已销号", "A problem was closed", _to("department", "school"), finder=True),
    "document.issued": Kind("收到文书", "A document was issued", _to("district", "department", "school", "township")),
    "handover.issued": Kind("收到交办单，请签收", "A handover came for you: sign for it", OFFICES, office=True),
    "handover.replied": Kind("交办单已有回复，请审核", "A handover was answered: judge the answer", OFFICES, office=True),
    "handover.judged": Kind("交办单的回复已有审核意见", "Your answer to a handover was judged", OFFICES, office=True),
    "handover.ended": Kind("交办单已办结或撤回", "A handover was closed or withdrawn", OFFICES, office=True),
    "order.issued": Kind("收到年度部署或督查要求，请落实", "An order of the year came for you: carry it out", OFFICES, office=True),
    "order.replied": Kind("部署要求已有落实回复", "An order of the year was answered", OFFICES, office=True),
    "transfer.sent": Kind("收到移交、抄告或协查，请签收", "A transfer came for you: receive it", OFFICES, office=True),
    "transfer.overdue": Kind("移交、抄告或协查逾期未签收或未反馈", "A transfer to you is overdue: receive and answer it", OFFICES, is_urgent=True, office=True),
    "handover.overdue": Kind("交办单逾期未签收或未回复", "A handover to you is overdue: sign and answer it", OFFICES, is_urgent=True, office=True),
    "order.overdue": Kind("部署要求逾期未回复", "An order of the year is overdue: answer it", OFFICES, is_urgent=True, office=True),
    "problem.undecided": Kind("疑似重大隐患逾期未集体研究", "A candidate for a major hazard is overdue for decision", _to("district", "city"), is_urgent=True),
    "problem.unreported": Kind("挂牌督办逾期未报进展", "The progress report of a listed hazard is overdue", _to("department", "school"), is_urgent=True),
    "clock.escalated": Kind("下级逾期未办，请督促", "Overdue below you: see to it", _to("city", "district", "township"), is_urgent=True, by_level=True),
    "post.taken": Kind("岗位交接到您处，请核对清单（件数/逾期）", "A post is yours now: see what came (count / overdue)", OFFICES, office=True, named=True),
    "post.left": Kind("您已交出岗位（件数/逾期）", "What hung on your post has gone over (count / overdue)", _to(), named=True),
    "post.vacant": Kind("岗位空缺，出现责任空白（件数/逾期）", "A post is vacant: nobody answers (count / overdue)", OFFICES, is_urgent=True, office=True),
    "post.deputed": Kind("岗位由他人代理（起止）", "Somebody acts for the holder of a post (from, to)", OFFICES, office=True, named=True),
    "sweep.opened": Kind("新的排查行动已开始", "A sweep was opened", _to("district", "department", "inspector", "expert")),
    "op.parked": Kind("有操作未能执行，请处理", "Some ops could not be carried out", _to("district", "city"), author=True),
    "device.silent": Kind("终端长时间未联系", "A device has not been heard of for long", _to("district", "city")),
    "webhook.ended": Kind("推送地址长期失败，已停用", "A webhook failed for days and was switched off", _to("admin"), author=True),
}  # fmt: skip

# A step of a problem's life (its action) → what is told. A step that is not here is nobody's news.
STEPS: Mapping[str, str] = {
    "return": "problem.returned",
    "report_fixed": "problem.fix_reported",
    "refuse_fix": "problem.fix_refused",
    "danger": "problem.danger",
    "reopen": "problem.reopened",
    "stop_work": "problem.work_stopped",
    "lift_stop": "problem.stop_lifted",
    "overdue": "problem.overdue",
    "escalate": "problem.escalated",
    "decide_major": "problem.judged_major",
    "list": "problem.listed",
    "ask_extension": "problem.asked",
    "ask_acceptance": "problem.asked",
    "grant_extension": "problem.decided",
    "refuse_extension": "problem.decided",
    "pass_acceptance": "problem.decided",
    "fail_acceptance": "problem.decided",
    "close": "problem.closed",
    "confirm_fix": "problem.closed",
}
# A step of what goes from office to office → what is told, to the office on the other side.
PAPERS: Mapping[str, str] = {
    "handover.issue": "handover.issued",
    "handover.reply": "handover.replied",
    "handover.judge": "handover.judged",
    "handover.close": "handover.ended",
    "handover.withdraw": "handover.ended",
    "transfer.send": "transfer.sent",
    "order.issue": "order.issued",
    "order.reply": "order.replied",
}
NEWS = frozenset({"applied", "proposed"})  # of a step: what came to nothing is nobody's news


def of_step(action: str, status: str, state: str) -> str | None:
    """The kind of a step that was taken, or None. A claim that waits for somebody is told as such, whatever it claims."""
    if status not in NEWS:
        return None
    if state == "to_verify" and action in ("close", "report_fixed"):
        return "problem.to_verify"
    return STEPS.get(action)


def above(area_path: str, department_id: str | None) -> str:
    """The place whose office stands above a post: the same for a department's, else the next one up; the city's own is above itself."""
    return area_path if department_id or "/" not in area_path else area_path.rpartition("/")[0]


EVENTS = tuple(sorted(set(KINDS) - {"webhook.ended"}))  # what a webhook may be told of
SHOWN = ("number", "grade", "state", "due_on", "document", "title", "reason", "device", "webhook")


def text(kind: str, language: str, data: Mapping[str, Any], count: int) -> str:
    """One line for a person: what, which, how often."""
    found = KINDS[kind]
    said = found.en if language == "en" else found.zh
    which = next((str(data[name]) for name in ("document", "number", "title", "device") if data.get(name)), "")
    times = f" ×{count}" if count > 1 else ""
    return f"{said}{': ' if language == 'en' else '：'}{which}{times}" if which else said + times
