"""What the doctor asks of DingTalk about buttons: whether there are any, and whether it takes cards
of the template that they stand on.
"""

from __future__ import annotations

from uuid import uuid4

from adapters.contract import DeliveryFailed, Finding
from adapters.dingtalk.api import DingtalkApi, DingtalkRefused
from adapters.dingtalk.console import CARD_SCOPE, CARDS, ROBOT, refused, why_not
from adapters.dingtalk.errcodes import Kind, kind_of
from adapters.dingtalk.setup import Setup
from adapters.reading import Json

# https://open.dingtalk.com/document/orgapp/interface-for-creating-a-card-instance
CREATE = "/v1.0/card/instances"
NO_TEMPLATE, NOT_PUBLISHED = "param.templateNotExist", "param.templateUnpublished"
_PASSING = frozenset({Kind.RETRY, Kind.TOKEN, Kind.RATE})


async def examine(setup: Setup, api: DingtalkApi, *, may_ask: bool) -> Finding | None:
    """What stands in the way of buttons. `may_ask`: whether DingTalk lets the app in at all; where
    it does not, nothing can be said of a template.
    """
    if setup.mode == "http":
        return Finding(
            True,
            "In http mode DingTalk signs no message's content, so nobody changes money, rules or"
            " roles here, every answer costs one of the month's calls, and there are no buttons:"
            f" DINGTALK_MODE=stream is better, with Stream模式 at {ROBOT} → 消息接收模式.",
            advice=True,
        )
    if setup.card_template_id:
        return await _template(setup, api) if may_ask else None
    return Finding(
        True,
        "No card template is set, so what others press is typed here: make one as in"
        f" docs/dingtalk.md at {CARDS} → 新建模板, and set DINGTALK_CARD_TEMPLATE_ID.",
        advice=True,
    )


async def _template(setup: Setup, api: DingtalkApi) -> Finding | None:
    """Make a card that is brought to nobody: one of the month's calls. Under a name that was used
    before DingTalk would say so, and might not look at the template.
    """
    body: Json = {
        "cardTemplateId": setup.card_template_id,
        "outTrackId": f"doctor-{uuid4().hex}",
        "cardData": {"cardParamMap": {"title": "?"}},
        "callbackType": "STREAM",
    }
    try:
        await api.call("POST", CREATE, body)
    except DingtalkRefused as refusal:
        return _refused(refusal, setup)
    except DeliveryFailed as failed:
        return _unknown(failed.why)
    return Finding(True, "Cards with buttons go by the template DINGTALK_CARD_TEMPLATE_ID.")


def _refused(refusal: DingtalkRefused, setup: Setup) -> Finding | None:
    code, kind = refusal.code, kind_of(refusal.code)
    if kind is Kind.PERMISSION:
        why = why_not(refusal, setup.api_url, [CARD_SCOPE])
        return Finding(False, f"Cards cannot be sent: {why}")
    if kind is Kind.QUOTA:
        return None  # said of the robot already
    if kind in _PASSING:
        return _unknown(code)
    if code == NO_TEMPLATE:
        return Finding(
            False,
            f"DINGTALK_CARD_TEMPLATE_ID is no template of this app's ({code}): copy the id from the"
            f" list at {CARDS} (it ends in .schema), of a template that is bound to this app.",
        )
    if code == NOT_PUBLISHED:
        return Finding(
            False,
            f"The card template is not published ({code}): open it at {CARDS}, and press 发布 at"
            " the top right.",
        )
    return Finding(
        False,
        f"DingTalk makes no card of the template ({refused(code)}): look at {CARDS} whether it is"
        " published and bound to this app, and compare it with docs/dingtalk-card.json.",
    )


def _unknown(why: str) -> Finding:
    return Finding(
        True,
        f"Whether DingTalk takes the card template was not checked ({why}): run this again later.",
        advice=True,
    )
