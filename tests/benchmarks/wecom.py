"""WeCom: from a callback to its passive answer, and from a mention to what the group reads.

The stand-in's share is in it: signing, encrypting, and reading the answer.
"""

from __future__ import annotations

import time

from tests.benchmarks.load import Result
from tests.platforms.wecom import StandInWecom
from tests.platforms.wecom_model import Corp
from tests.platforms.wecom_socket import BotServer
from tests.processes import free_port, running, wait_until_ready

TAPS = 500
# One message to a group each: the second would wait for its turn.
GROUPS = 100
CHECK_IN = '{"command":"checkin"}'


def environment_of(wecom: StandInWecom, gateway: BotServer) -> dict[str, str]:
    """The settings of a bot in this corp."""
    corp = wecom.corp
    return {
        "WECOM_CORP_ID": corp.corp_id,
        "WECOM_AGENT_ID": str(corp.agent_id),
        "WECOM_SECRET": corp.secret,
        "WECOM_TOKEN": corp.token,
        "WECOM_ENCODING_AES_KEY": corp.aes_key,
        "WECOM_API_URL": wecom.origin,
        "WECOM_BOT_ID": corp.bot_id,
        "WECOM_BOT_SECRET": corp.bot_secret,
        "WECOM_BOT_WS_URL": gateway.url,
    }


def people(corp: Corp, users: int) -> None:
    """Everybody is a member of the corp."""
    for number in range(users):
        corp.add_member(f"U{number}", f"user{number}")


def taps(wecom: StandInWecom, users: int) -> Result:
    """The menu's 签到, each answered in the response to its callback."""
    latencies = []
    start = time.perf_counter()
    for number in range(TAPS):
        began = time.perf_counter()
        delivery = wecom.click(f"U{number % users}", CHECK_IN)
        latencies.append(time.perf_counter() - began)
        assert delivery.message is not None, delivery.statuses
    return Result(time.perf_counter() - start, sorted(latencies))


def mentions(gateway: BotServer, users: int) -> Result:
    """A mention in a group by the long connection, until the group reads the answer."""
    corp = gateway.corp
    chats = [corp.add_group(f"group {number}").chatid for number in range(GROUPS)]
    latencies = []
    start = time.perf_counter()
    for number, chat in enumerate(chats):
        began = time.perf_counter()
        gateway.gateway.say(f"U{number % users}", "签到", chat)
        corp.wait_for(lambda chat=chat: corp.last(chat))  # type: ignore[misc]
        latencies.append(time.perf_counter() - began)
    return Result(time.perf_counter() - start, sorted(latencies))


def measure(database: str, users: int, secret: str) -> tuple[Result, Result]:
    """Check-ins of people who are on the roster of `database`, by the menu and by mentions."""
    corp = Corp()
    people(corp, users)
    with StandInWecom(corp) as wecom, BotServer(corp) as gateway:
        port = free_port()
        environment = {
            **environment_of(wecom, gateway),
            "BANZHANG_DATABASE_URL": database,
            "BANZHANG_SECRET_KEY": secret,
            "BANZHANG_LOG_LEVEL": "error",
        }
        with running(["bot", "serve", "--port", str(port)], environment):
            wait_until_ready(f"http://127.0.0.1:{port}/readyz")
            wecom.deliver_to(f"http://127.0.0.1:{port}")
            gateway.wait_subscribed(timeout=10)
            wecom.click("U0", CHECK_IN)  # the first asks for a token and a name
            return taps(wecom, users), mentions(gateway, users)
