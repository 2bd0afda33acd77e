"""WeCom: from a callback to its passive answer, and from a mention to what the group reads.

The stand-in's share is in it: signing, encrypting, and reading the answer.
"""

from __future__ import annotations

from tests.benchmarks.load import Result, timed
from tests.benchmarks.staff import told
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


def taps(wecom: StandInWecom, users: int) -> Result:
    """The menu's 签到, each answered in the response to its callback."""

    def tap(number: int) -> None:
        delivery = wecom.click(f"U{number % users}", CHECK_IN)
        assert delivery.message is not None, delivery.statuses

    return timed(TAPS, tap)


def mentions(gateway: BotServer, users: int) -> Result:
    """A mention in a group by the long connection, until the group reads the answer."""
    corp = gateway.corp
    chats = [corp.add_group(f"group {number}").chatid for number in range(GROUPS)]

    def mention(number: int) -> None:
        gateway.gateway.say(f"U{number % users}", "签到", chats[number])
        corp.wait_for(lambda: corp.last(chats[number]))

    return timed(GROUPS, mention)


def measure(database: str, users: int, people: int, secret: str) -> tuple[Result, Result, float]:
    """Check-ins by the menu and by mentions of the first `users` of these people, who are on the
    roster of `database`; and seconds until all of them are told the same, which waits there.
    """
    corp = Corp()
    for number in range(people):
        corp.add_member(f"U{number}", f"user{number}")
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
            seconds = told(corp, people)
            wecom.click("U0", CHECK_IN)  # the first asks for a token and a name
            return taps(wecom, users), mentions(gateway, users), seconds
