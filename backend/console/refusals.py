"""What a form is told when its act is refused, in the language of its reader, and beside which field. Words only.

A reason is one of PROTOCOL.md's; the field "" is the form as a whole.
"""

from collections.abc import Mapping

from backend.errors import Problem

Told = tuple[str, str, str]  # field, Chinese, English
_EMPTY = ("此项必填", "This must be filled in")
_NO_PICTURE = ("这不是能打开的照片，请换一张", "This is no picture that can be opened: choose another one")
_MISFIT = ("内容过长或不符合要求", "Too long, or it does not fit")
_SAY = ("请写明理由", "Say why")

# What is wrong with a field, whatever the act.
_FIELDS: Mapping[str, tuple[str, str]] = {
    "until": ("须晚于现定期限，也须晚于今天", "Must be later than the day that holds now, and than today"),
    "finish_by": ("须晚于今天", "Must be later than today"),
    "posts": ("至少三人，每行写一个职务，不重复", "At least three people, one post a line, each once"),
    "expert_opinion": ("已组织专家论证，须写明专家意见", "Experts were asked: their opinion is needed"),
    "department_id": ("没有这个部门", "There is no such department"),
    "area_id": ("协查须选一个相邻地区", "A request for assistance names a neighbouring area"),
    "photos": ("须附整改后的照片", "A photo of the fix is needed"),
}

# (action or "", reason) → where and what. The empty action: whatever else was asked.
_REASONS: Mapping[tuple[str, str], Told] = {
    ("merge", "target_missing"): ("into", "辖区内没有这个编号的隐患", "There is no problem of this number in your territory"),
    ("merge", "invalid"): ("into", "不能并入它自己", "It cannot be merged into itself"),
    ("merge", "guard_failed"): ("into", "要并入的隐患已了结，或本隐患正在挂牌督办", "That one has ended, or this one is under listed supervision"),
    ("assign", "invalid"): ("department_id", "没有这个部门", "There is no such department"),
    ("inform", "guard_failed"): ("department_id", "该部门已是牵头部门，或当前状态不能抄告", "That department leads already, or the state does not allow it"),
    ("ask_extension", "guard_failed"): (
        "until", "没有可延的期限、已过申请的日子，或已有待批的申请", "There is no day to extend, it is too late to ask, or an application is open",
    ),
    ("close", "guard_failed"): (
        "", "照片未到齐、尚在停工，或挂牌督办未验收合格，不能销号", "Photos are missing, work is stopped, or acceptance has not passed: it cannot be closed",
    ),
    ("", "conflict"): (
        "", "您打开本页之后情况有变：请看过下面的记录再决定", "Something has happened since you opened this page: look at its history, then decide",
    ),
    ("", "guard_failed"): ("", "当前状态已不允许这一步", "The present state does not allow this step any more"),
    ("", "forbidden"): (
        "", "这一步不能由您办理（本人的申请不能由本人决定；市级挂牌的由市级决定）",
        "This step is not yours (nobody decides their own application; what the city has listed, the city decides)",
    ),
    ("", "target_missing"): ("", "它已不在您的辖区内", "It does not lie within your territory any more"),
    ("", "target_deleted"): ("", "该隐患已被撤销", "The problem has been deleted"),
    ("", "op_id_reused"): ("", "这张表已用过，请刷新页面", "This form was used already: reload the page"),
}  # fmt: skip
_OTHER: Told = ("", "未能办理", "It could not be done")


def empty(language: str) -> str:
    """A field that must say something says nothing."""
    return _EMPTY[language == "en"]


def no_picture(language: str) -> str:
    """A file that is no picture."""
    return _NO_PICTURE[language == "en"]


def of(action: str, fault: Problem, typed: Mapping[str, str], language: str) -> dict[str, str]:
    """{field: why}: of an invalid form by its pointers, else by the reason that the op was refused for."""
    named = [_field(each["pointer"]) for each in fault.errors] or _named(fault.detail)
    if fault.code == "invalid" and named:
        return {name: _of_field(name, typed, language) for name in named}
    reason = str(fault.extra.get("reason") or fault.code)
    name, *said = _REASONS.get((action, reason)) or _REASONS.get(("", reason)) or _OTHER
    return {name: said[language == "en"]}


def _field(pointer: str) -> str:
    return pointer.lstrip("/").split("/")[0]


def _named(detail: str) -> list[str]:
    """Fields of a refusal that lists them as "/field: why; /field: why" (ops/apply.py)."""
    return [_field(part.split(":")[0]) for part in detail.split("; ") if part.startswith("/")]


def _of_field(name: str, typed: Mapping[str, str], language: str) -> str:
    says_nothing = not typed.get(name, "").strip()
    return _FIELDS.get(name, _SAY if says_nothing else _MISFIT)[language == "en"]
