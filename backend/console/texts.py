"""The words of the console, Chinese first, English second. Words only."""

from collections.abc import Mapping

_TEXTS: Mapping[str, tuple[str, str]] = {
    "title": ("护园 · 校园周边与火灾隐患排查", "Huyuan · school perimeters and fire hazards"),
    "sign_in": ("登录", "Sign in"), "login": ("账号", "Name"), "password": ("密码", "Password"), "sign_out": ("退出", "Sign out"),
    "wrong": ("账号或密码不正确", "Wrong name or password"), "other": ("English", "中文"),
    "found": ("隐患", "Found"), "open": ("未整改", "Open"), "overdue": ("到期未整改", "Overdue"), "closed": ("已整改", "Closed"), "rate": ("整改率", "Rate"),
    "sites": ("学校与单位", "Sites"), "inspected": ("已查", "Inspected"), "photos": ("照片（已核验/待传）", "Photos (verified/waiting)"),
    "tasks": ("任务完成", "Tasks done"), "map": ("隐患分布", "Where the problems are"), "ledger": ("责任台账（区域汇总）", "Ledger by area"),
    "area": ("区域", "Area"), "general": ("一般", "General"), "major": ("重大", "Major"), "total": ("合计", "Total"),
    "unplaced": ("未定位（另列）", "Without a place (beside)"), "csv": ("导出 CSV", "CSV"), "skip": ("跳到台账", "Skip to the ledger"),
    "mark_open": ("圆：未整改", "Circle: open"), "mark_waiting": ("菱形：待复查", "Diamond: awaits re-inspection"),
    "mark_closed": ("方：已销号", "Square: closed"),
    "source": ("区县边界：天地图（概化），仅示意", "District borders: Tianditu, generalised"), "sample": ("示例数据", "Sample data"),
    "no_position": ("无坐标", "no position"), "null_island": ("坐标为零", "zero position"), "out_of_range": ("坐标越界", "out of range"),
    "too_coarse": ("精度不足", "too coarse"), "outside_city": ("不在辖区内", "outside every district"),
    "no_ledger": ("此账号不看台账，请使用手持终端", "This account has no ledger; its work is on the phone"),
    "conflicts": ("待处理的修改冲突", "Conflicting edits to settle"),
    "mine": ("我的待办", "Mine today"), "start": ("首页", "Start"), "mine_problems": ("等待我处理的隐患", "Problems that wait for me"),
    "mine_acts": ("交办、部署与交接", "Handovers, orders and posts"), "nothing": ("没有待办事项", "Nothing waits for you"),
    "u_overdue": ("已逾期", "Overdue"), "u_today": ("今日到期", "Due today"), "u_soon": ("七日内到期", "Due in 7 days"), "u_later": ("以后", "Later"),
    "u_undated": ("未定期限", "No date"), "number": ("编号", "Number"), "site": ("学校/单位", "Site"), "what_is": ("隐患内容", "What it is"),
    "why_no_day_set": ("尚未定期限", "none set yet"), "why_no_calendar": ("该年度工作日历未公布", "no calendar for that year yet"),
    "why_not_confirmed": ("该时限待本市确认", "the city has not confirmed this limit"),
    "why_no_limit": ("此环节无时限规定", "no limit is laid down for this step"),
    "why_no_term": ("未录入学期日历", "no school term is known"), "why_before_clocks": ("启用时限前的隐患", "from before clocks ran here"),
    "state": ("状态", "State"), "due": ("期限", "Due"), "content": ("内容", "Content"), "act": ("要办的事", "To do"),
    "listed_first": ("仅列最紧要的 100 项", "The 100 most urgent are listed"),
    "do_sign": ("签收", "Sign"), "do_reply": ("回复", "Reply"), "do_judge": ("审核理由", "Judge the reasons"), "do_close": ("办结销号", "Close"),
    "do_accept": ("接收交接清单（件数/逾期）", "Accept what was handed on (count / overdue)"),
    "do_publish": ("填报下一步", "Record the next step"),
    "ring_handover": ("交办单", "Handover"), "ring_post": ("岗位交接", "Post"), "ring_order": ("部署", "Order"), "ring_sweep": ("专项排查", "Sweep"),
    "ring_sector": ("防控环", "Sector loop"),
    "inbox": ("通知", "Notices"), "unread": ("条未读", "unread"), "mark_all": ("全部标为已读", "Mark all as read"), "when": ("时间", "When"),
    "notice": ("内容", "What"), "urgent": ("急", "Urgent"), "older": ("更早的通知", "Older"), "no_notices": ("没有通知", "Nothing yet"),
    "is_unread": ("未读", "Unread"), "is_read": ("已读", "Read"),
    "problem": ("隐患", "Problem"), "steps": ("现在可以办理", "What you can do now"), "answers": ("答复与记录", "Answers and notes"),
    "no_steps": ("此刻没有轮到您的步骤", "There is no step for you at present"), "did": ("办理", "Done"), "history": ("办理记录", "History"),
    "chain": ("责任链", "Who answers for it"), "grade": ("等级", "Grade"), "next": ("下一步", "Next"),
    "waiting_photos": ("待传照片", "Photos on their way"), "is_listed": ("挂牌督办", "Listed supervision"),
    "is_stopped": ("已责令停工", "Work is stopped"), "layer": ("层级", "Layer"), "post": ("岗位", "Post"), "holder": ("责任人", "Holder"),
    "gap": ("责任空白", "Vacant"), "lead": ("牵头", "lead"), "acts_for": ("代", "acting"), "who_did": ("经办", "By"), "must": ("必填", "required"),
    "choose": ("请选择", "Choose"), "kept_photos": ("已上传的照片", "Photos that are here"),
    "look": ("未能办理，请看标出的地方；已填的都在", "Not done: see what is marked. What you filled in is kept"), "as_applied": ("已办理", "Done"),
    "as_noop": ("已是如此，无须再办", "It was so already"), "as_superseded": ("他人已先作决定，以先到的为准", "Somebody else had decided before"),
    "as_proposed": ("已记为待核实", "Noted as a claim to be verified"),
    "as_redirected": ("已记到并入的隐患", "Noted at the problem that it was merged into"),
    "only_sent": ("此件由移交、抄告或协查转来，仅列答复所需", "It was sent to your office: what its answer needs is shown"), "back": ("返回", "Back"),
    "fault": ("打不开这一页", "This page cannot be shown"), "ordinary": ("一般", "general"),
    "no_rows": ("没有隐患", "No problems"), "more": ("下一页", "Next page"),
    "complete": ("完整度", "Completeness"), "as_of": ("截至", "As of"),
}  # fmt: skip


def texts(language: str) -> dict[str, str]:
    """All words in one language."""
    return {key: pair[language == "en"] for key, pair in _TEXTS.items()}
