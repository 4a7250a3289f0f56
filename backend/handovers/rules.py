"""What a handover's life allows, and when it may close. Pure: no database, no clock.

issued ──sign──▶ signed ──reply──▶ replied ──close──▶ closed
   └──────────────── withdraw (before any reply) ───▶ withdrawn
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

# state → action → state after it. A reply without a signature is none: who answers has taken it.
STEPS: Mapping[str, Mapping[str, str]] = {
    "issued": {"sign": "signed", "withdraw": "withdrawn"},
    "signed": {"reply": "replied", "withdraw": "withdrawn", "close": "closed"},
    "replied": {"reply": "replied", "judge": "replied", "close": "closed"},
    "closed": {},
    "withdrawn": {},
}
RECEIVERS = frozenset({"sign", "reply"})  # everything else is the issuer's
STATES_ZH: Mapping[str, str] = {
    "issued": "已交办，待签收", "signed": "已签收", "replied": "已回复", "closed": "已办结", "withdrawn": "已撤回",
}  # fmt: skip
# What may be answered about one problem; a reason (True) settles it only where the issuer accepts it.
RESULTS: Mapping[str, bool] = {"fixed": False, "fixing": False, "not_ours": True, "cannot": True}
RESULTS_ZH: Mapping[str, str] = {
    "fixed": "已整改",
    "fixing": "正在整改",
    "not_ours": "不属本单位职责",
    "cannot": "客观原因暂不能整改",
}
ITEMS_ZH: Mapping[str, str] = {
    "waiting": "未回复",
    "answered": "已回复",
    "accepted": "理由采纳",
    "refused": "理由不采纳",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """One problem of a handover: its number, whether it has ended (with whatever it was merged into), its item's state."""

    number: str
    is_ended: bool
    state: str


def is_settled(one: Standing) -> bool:
    """Whether nothing more is asked about a problem: it has ended, or the reason why not was accepted."""
    return one.is_ended or one.state == "accepted"


def unsettled(found: Iterable[Standing]) -> list[str]:
    """Numbers of the problems that keep a handover from closing, in order."""
    return sorted(one.number for one in found if not is_settled(one))
