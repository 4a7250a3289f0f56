"""Which documents there are: number, title, who may issue, about what, what must be so, what the issuer fills in. Pure.

One table that a domain expert can proof-read. A field that is not filled in is printed as an empty line, never guessed.
Names after the forms of the closed loop (domain.md: 消防监督检查规定 19–21, 抄告表, 挂牌督办通知书, 三张清单).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

DIRECTS = frozenset({"city"})
SUPERVISES = frozenset({"city", "department", "district"})
ORDERS = SUPERVISES | {"township"}
VERIFIES = frozenset({"city", "district"})  # not the department: nobody confirms their own fix
UNIT = frozenset({"school", "township", "department"})  # the unit itself, or who reports in its stead (代报)
READS = ORDERS | {"auditor"}

MAX_TEXT = 2000
MAX_ROWS = 2000  # of a list on paper; longer ones are exports


@dataclass(frozen=True, slots=True)
class Field:
    """What the issuer may fill in: label, kind (text, date, one), whether it must be there, the choices of `one`."""

    label: str
    kind: str = "text"
    is_required: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of document. `about`: problem, node, handover, ledger (a publication) or evaluation. `answers`: the kind of
    document that it answers and must name.

    `must`: what has to be so: open, major, due. `columns`: of a list.
    """

    code: str
    title: str
    title_en: str
    about: str
    who: frozenset[str]
    must: tuple[str, ...] = ()
    answers: str | None = None
    fields: Mapping[str, Field] = field(default_factory=dict)
    columns: tuple[tuple[str, str], ...] = ()
    template: str = ""


NOTE = Field("处理意见")
VERDICT = {"verdict": Field("审批意见", "one", True, ("同意", "不同意")), "opinion": Field("说明")}
_WHERE = (("number", "隐患编号"), ("area", "地区"), ("site", "单位名称"))
FIVE = (("target", "落实治理目标任务"), ("funds", "落实治理经费物资"), ("people", "落实治理机构人员"), ("time_limit", "落实治理时间要求"),
        ("plan", "落实安全措施应急预案"))  # fmt: skip
BATCH = (
    ("number", "隐患编号"),
    ("site", "单位名称"),
    ("description", "隐患内容"),
    ("grade", "等级"),
    ("due_on", "整改期限"),
    ("state", "状态"),
)

KINDS: Mapping[str, Kind] = {
    "rectification": Kind(
        code="XG", title="责令限期改正通知书", title_en="Order to rectify by a date", about="problem", who=ORDERS,
        must=("open", "due"), fields={"demand": Field("整改要求"), "contact": Field("联系电话")},
    ),
    "immediate": Kind(
        code="LG", title="责令立即改正通知书", title_en="Order to rectify at once", about="problem", who=ORDERS, must=("open",),
        fields={"demand": Field("改正要求"), "contact": Field("联系电话")},
    ),
    "handover": Kind(
        code="CG", title="隐患抄告（交办）单", title_en="Handover slip", about="problem", who=ORDERS, must=("open",),
        fields={"to": Field("主送", is_required=True), "copy_to": Field("抄送"), "opinion": NOTE, "reply_by": Field("回复期限", "date"),
                "contact": Field("联系电话")},
    ),
    "receipt": Kind(
        code="HF", title="隐患接收回复表", title_en="Receipt of a handover", about="problem", who=ORDERS | {"school"}, answers="handover",
        fields={"received_on": Field("接收日期", "date", True), "opinion": NOTE},
    ),
    "feedback": Kind(
        code="FK", title="隐患处理结果反馈表", title_en="Feedback on a handover", about="problem", who=ORDERS | {"school"}, answers="handover",
        fields={"result": Field("处理结果", is_required=True), "done_on": Field("完成日期", "date")},
    ),
    "supervision": Kind(
        code="GP", title="重大事故隐患挂牌督办通知书", title_en="Notice of listed supervision", about="problem", who=VERIFIES,
        must=("open", "major"),
        fields={"level": Field("督办级别", "one", True, ("市级", "区县级")), "finish_by": Field("完成期限", "date", True),
                "plan_by": Field("治理方案备案期限", "date"), "demand": Field("督办要求"), "contact": Field("联系电话")},
    ),
    "extension_request": Kind(
        code="YS", title="整改延期申请书", title_en="Application for an extension", about="problem", who=UNIT, must=("open",),
        fields={"until": Field("申请延期至", "date", True), "reason": Field("延期理由", is_required=True), "measures": Field("延期期间防范措施")},
    ),
    "extension_decision": Kind(
        code="YP", title="整改延期审批意见书", title_en="Decision on an extension", about="problem", who=VERIFIES, must=("open",),
        answers="extension_request", fields={**VERDICT, "until": Field("批准延期至", "date")},
    ),
    "acceptance_request": Kind(
        code="YQ", title="隐患治理验收申请书", title_en="Application for acceptance", about="problem", who=UNIT, must=("open",),
        fields={"done_on": Field("整改完成日期", "date", True), "summary": Field("整治情况", is_required=True), "funds": Field("实际投入资金（万元）"),
                "self_check": Field("自评意见")},
    ),
    "acceptance_opinion": Kind(
        code="YJ", title="隐患治理验收意见书", title_en="Opinion on acceptance", about="problem", who=VERIFIES, answers="acceptance_request",
        fields={"verdict": Field("验收结论", "one", True, ("合格", "不合格")), "visited_on": Field("验收日期", "date"), "opinion": Field("验收意见"),
                "experts": Field("专家意见")},
    ),
    "reinspection": Kind(
        code="FC", title="复查意见书", title_en="Opinion on re-inspection", about="problem", who=VERIFIES,
        fields={"verdict": Field("复查结论", "one", True, ("已整改", "部分整改", "未整改")), "visited_on": Field("复查日期", "date", True),
                "opinion": Field("复查情况"), "next_step": Field("后续处理")},
    ),
    "list_problem": Kind(
        code="WQ", title="安全隐患问题清单", title_en="List of problems", about="node", who=READS, template="list",
        columns=(*_WHERE, ("item", "检查项"), ("description", "问题描述"), ("grade", "等级"), ("found_on", "发现日期"), ("state", "状态"), ("basis", "依据")),
    ),
    "list_responsibility": Kind(
        code="ZQ", title="安全隐患责任清单", title_en="List of responsibilities", about="node", who=READS, template="list",
        columns=(*_WHERE, ("lead", "牵头部门"), ("supporting", "配合部门"), ("department_holder", "部门责任人"), ("district_holder", "区县责任人"),
                 ("township_holder", "镇办责任人"), ("unit_holder", "单位责任人"), ("gaps", "责任空白")),
    ),
    "list_rectification": Kind(
        code="GQ", title="安全隐患整改清单", title_en="List of rectifications", about="node", who=READS, template="list",
        columns=(*_WHERE, ("plan", "整改措施及预案"), ("funds", "资金"), ("due_on", "时限"), ("state", "进展"), ("acceptance", "验收人"),
                 ("closed_on", "销号日期")),
    ),
    "ledger_five": Kind(
        code="TZ", title="隐患整改台账（五落实）", title_en="Ledger of rectification", about="node", who=READS, template="list",
        columns=(("number", "隐患编号"), ("area", "地区"), ("category", "行业与领域"), ("site", "单位名称"), ("spot", "地址部位"), ("description", "隐患内容"),
                 *FIVE, ("due_on", "时间")),
    ),
    "area_table": Kind(
        code="HZ", title="隐患排查整治情况表", title_en="Roll-up by area", about="node", who=READS,
    ),
    "period": Kind(
        code="QT", title="隐患台账期间公布表", title_en="Ledger of a period, as published", about="ledger", who=READS, template="period",
    ),
    "restatement": Kind(
        code="QR", title="隐患台账期间重述表", title_en="Restatement of a published period", about="ledger", who=READS, template="restatement",
    ),
    "evaluation": Kind(
        code="KB", title="隐患排查整治考评表", title_en="Evaluation, as published", about="evaluation", who=READS, template="evaluation",
    ),
    "batch": Kind(
        code="JB", title="隐患交办单", title_en="Handover of a batch", about="handover", who=ORDERS, template="batch", columns=BATCH,
        fields={"copy_to": Field("抄送"), "contact": Field("联系电话")},
    ),
    "batch_receipt": Kind(
        code="JS", title="隐患交办单签收回执", title_en="Receipt of a batch", about="handover", who=ORDERS, answers="batch", template="batch",
        columns=BATCH, fields={"received_on": Field("签收日期", "date", True), "opinion": NOTE},
    ),
    "batch_feedback": Kind(
        code="JF", title="隐患交办单办理情况回复表", title_en="Reply to a batch", about="handover", who=ORDERS, answers="batch", template="batch",
        columns=(*BATCH, ("result", "办理结果"), ("note", "说明")), fields={"summary": Field("总体情况", is_required=True)},
    ),
}  # fmt: skip
