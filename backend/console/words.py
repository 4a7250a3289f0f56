"""The words of a problem's page that the table's own page does not have: English names of what it names in Chinese, and fields.

Words only.
"""

from collections.abc import Mapping

from backend.problems import life
from backend.responsibility.gaps import LAYERS_ZH

_STATES_EN = {
    "found": "Found", "confirmed": "Confirmed", "assigned": "Assigned", "returned": "Returned", "fixing": "Being fixed", "fix_reported": "Fix reported",
    "to_verify": "To be verified", "closed": "Closed", "refuted": "Refuted", "merged": "Merged", "deleted": "Withdrawn",
}  # fmt: skip
_ACTIONS_EN = {
    "accept": "Accept", "assign": "Assign", "close": "Close", "confirm": "Confirm", "confirm_fix": "Confirm the fix", "danger": "Danger seen again",
    "delete": "Withdraw the record", "lift_stop": "Lift the stop of work", "merge": "Merge into another", "refuse_fix": "Refuse the fix",
    "refute": "Refute", "reopen": "Reopen", "report_fixed": "Report it fixed", "restore": "Restore", "return": "Not mine: return", "separate": "Separate again",
    "stop_work": "Stop work", "hand_over": "Hand over to a department", "inform": "Inform a department", "ask_help": "Ask a neighbouring area for help",
    "escalate": "Escalated: overdue", "consult": "Ask experts", "decide_major": "Judge it a major hazard", "decide_general": "Judge it a general hazard",
    "list": "Put under listed supervision", "delist": "Delist", "ask_extension": "Ask for an extension", "grant_extension": "Grant the extension",
    "refuse_extension": "Refuse the extension", "ask_acceptance": "Ask for acceptance", "pass_acceptance": "Acceptance passed",
    "fail_acceptance": "Acceptance failed",
}  # fmt: skip
_FACTS = {
    "received": ("签收来件", "Receive the transfer"), "answered": ("反馈处理结果", "Answer the transfer"), "progress": ("报告治理进展", "Report progress"),
    "note": ("写一条记录", "Add a note"), "raise": ("发现", "Found"), "report": ("再次上报", "Reported again"), "edit": ("修改", "Edited"),
    "resolve": ("处理修改冲突", "Conflict settled"), "photo": ("补充照片", "Photos added"), "work_stopped": ("现场已停工", "Work stands still"),
    "work_going_on": ("现场仍在作业", "Work goes on"), "unmerged_edit": ("未并入的修改", "Edit put aside"), "joined": ("并入一件", "Another was merged in"),
    "left": ("拆出一件", "Another was separated"), "place": ("更正位置", "Placed"),
}  # fmt: skip
_FIELDS = {
    "note": ("说明", "Note"), "text": ("内容", "Text"), "photos": ("照片", "Photos"), "department_id": ("部门", "Department"), "area_id": ("协查地区", "Area"),
    "until": ("延至", "Until"), "reason": ("理由", "Reason"), "measures": ("期间的安全措施", "Measures meanwhile"), "opinion": ("意见", "Opinion"),
    "done_on": ("完成日期", "Done on"), "summary": ("治理情况", "What was done"), "funds": ("投入资金", "Funds"), "self_check": ("自查情况", "Own check"),
    "visited_on": ("验收日期", "Visited on"), "experts": ("参加专家", "Experts"), "into": ("并入哪一件（编号）", "Into which (number)"),
    "posts": ("参加研究的职务（每行一个，至少三个）", "Who decided, by post (one a line, at least three)"), "minutes": ("研究记录", "Minutes"),
    "expert_opinion": ("专家意见", "Experts' opinion"), "level": ("挂牌级别", "Level"), "finish_by": ("完成期限", "Finish by"),
    "plan_by": ("治理方案备案期限", "Plan by"), "demand": ("要求", "Demand"), "result": ("处理结果", "Result"),
}  # fmt: skip
_NEXT_EN = {"supervisor": "supervisor", "department": "department or unit", "inspector": "re-inspection"}
_CHOICES = {"city": ("市级", "City"), "district": ("区县级", "District")}
_LAYERS_EN = {
    "city": "City",
    "department": "Department",
    "district": "District",
    "township": "Township",
    "unit": "Unit",
}


def words(language: str) -> Mapping[str, Mapping[str, str]]:
    """Names of states, actions, fields, choices, layers and of who is next, in one language."""
    is_english = language == "en"
    facts = {name: pair[is_english] for name, pair in _FACTS.items()}
    return {
        "states": _STATES_EN if is_english else life.STATES,
        "actions": {**(_ACTIONS_EN if is_english else life.ACTIONS), **facts},
        "fields": {name: pair[is_english] for name, pair in _FIELDS.items()},
        "choices": {name: pair[is_english] for name, pair in _CHOICES.items()},
        "layers": _LAYERS_EN if is_english else LAYERS_ZH,
        "next": _NEXT_EN if is_english else life.PEOPLE,
    }
