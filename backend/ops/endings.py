"""What ends by itself after a time, as ops of the server. Each may run twice with one effect."""

from datetime import datetime

from flask import current_app

from backend.access.scope import SYSTEM
from backend.notices import webhooks
from backend.ops.apply import submit


def end_failing_webhooks(now: datetime) -> None:
    """Subscriptions that have failed for HUYUAN_WEBHOOK_GIVE_UP_DAYS are switched off; their owners are told."""
    for webhook_id in webhooks.failed_for(now, current_app.extensions["config"].webhooks.give_up_days):
        submit("webhook.end", {}, SYSTEM, now, ent=("webhook", webhook_id))
