"""WeCom's cloud as a bot that is set up meets it: values for the environment, and who is there."""

from __future__ import annotations

from collections.abc import Mapping

from tests.platforms.wecom import StandInWecom
from tests.platforms.wecom_model import Message, plain
from tests.platforms.wecom_socket import BotServer


def environment(
    wecom: StandInWecom, server: BotServer, webhooks: Mapping[str, str] | None = None
) -> dict[str, str]:
    """What an admin copies from WeCom's pages; `webhooks` are keys of group robots by team."""
    corp = wecom.corp
    values = {
        "WECOM_CORP_ID": corp.corp_id,
        "WECOM_AGENT_ID": str(corp.agent_id),
        "WECOM_SECRET": corp.secret,
        "WECOM_TOKEN": corp.token,
        "WECOM_ENCODING_AES_KEY": corp.aes_key,
        "WECOM_API_URL": wecom.origin,
        "WECOM_BOT_ID": corp.bot_id,
        "WECOM_BOT_SECRET": corp.bot_secret,
        "WECOM_BOT_WS_URL": server.url,
        "WECOM_BOT_NAME": corp.bot_name,
    }
    if webhooks:
        values["WECOM_WEBHOOKS"] = ",".join(f"{team}={key}" for team, key in webhooks.items())
    return values


def shown(message: Message) -> str:
    """What stands on the screen: of markdown nothing but what it makes of the words."""
    said = plain(message)
    return said.replace("**", "").replace("\u200b", "") if message.msgtype == "markdown" else said


def reads(wecom: StandInWecom, place: str) -> str:
    """All that stands on somebody's screen, or in a group, the oldest first."""
    return "\n".join(shown(one) for one in wecom.corp.messages(place))
