"""What the doctor asks of WeCom: the app's settings, the clock, the callback address and the menu;
who is heard and written to in groups is doctor_groups.py's. Each finding names the page and the
button that mend it.

Only what changes nothing and says nothing to anybody is called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from adapters.checkups import address
from adapters.clocks import clock
from adapters.contract import Checkup, DeliveryFailed, Finding, ReaderFor
from adapters.reading import Json
from adapters.wecom import doctor_groups, menu
from adapters.wecom.api import WecomApi, WecomRefused
from adapters.wecom.console import APP, OFF, UNTRUSTED, came_in, why_not
from adapters.wecom.reading import display_name
from adapters.wecom.setup import App, Setup
from adapters.wires import Connect
from bot.messages import LOCALES, Locale, Words

NO_MENU = 46003  # https://developer.work.weixin.qq.com/document/path/90313

# How the keys of the app's events go on behind "app:", see decode.py.
HEARD: Mapping[str, str] = {
    "message": "messages",
    "click": "menu clicks",
    "press": "card presses",
}
# https://developer.work.weixin.qq.com/document/path/90227: who may see the app.
RANGE = (("allow_userinfos", "user"), ("allow_partys", "partyid"), ("allow_tags", "tagid"))


async def examine(
    setup: Setup,
    api: WecomApi,
    checkup: Checkup,
    reader_for: ReaderFor,
    robot_of: Callable[[str], str | None],
    connect: Connect | None = None,
) -> Sequence[Finding]:
    """All findings. `api` is open, `robot_of` tells the key of a team's group robot, and `connect`
    takes the place of the network for the aibot's connection.
    """
    findings: list[Finding] = []
    if setup.app is not None:
        findings += await _app(setup, setup.app, api, checkup, reader_for)
    findings += await doctor_groups.examine(setup, api, checkup, robot_of, connect)
    return findings


async def _app(
    setup: Setup, app: App, api: WecomApi, checkup: Checkup, reader_for: ReaderFor
) -> list[Finding]:
    """The settings first: while they are wrong nothing else can be asked."""
    try:
        # https://developer.work.weixin.qq.com/document/path/90227
        told = await api.ask("agent/get", query={"agentid": app.agent_id}, quietly=True)
    except (WecomRefused, DeliveryFailed) as error:
        return [Finding(False, why_not(error, setup.api_url)), _called(checkup, ())]
    findings = [*_agent(told.body), *clock(told.headers, checkup.now, "WeCom", "callback")]
    try:
        findings.append(_called(checkup, await _addresses(api)))
        findings.append(await _menu(app, api, checkup, reader_for))
    except (WecomRefused, DeliveryFailed) as error:
        findings.append(Finding(False, why_not(error, setup.api_url)))
    return findings


def _agent(told: Json) -> Iterator[Finding]:
    name = display_name(told.get("name")) or "without a name"
    yield Finding(
        True, f"WeCom takes WECOM_CORP_ID, WECOM_SECRET and WECOM_AGENT_ID: the app is {name}."
    )
    if told.get("close"):
        yield Finding(False, f"{OFF}.")
    if not any(_listed(told.get(outer), inner) for outer, inner in RANGE):
        yield Finding(
            False, f"Nobody may see the app: add members or departments at {APP} → 可见范围."
        )


def _listed(holder: object, name: str) -> bool:
    return isinstance(holder, dict) and bool(holder.get(name))


# https://developer.work.weixin.qq.com/document/path/92521
async def _addresses(api: WecomApi) -> list[str]:
    """From where WeCom calls: for a firewall's sake, so it may well be kept from us."""
    try:
        told = await api.call("getcallbackip", quietly=True)
    except WecomRefused as refused:
        if refused.code == UNTRUSTED:
            raise
        return []
    found = told.get("ip_list")
    return [str(one) for one in found] if isinstance(found, list) else []


# https://developer.work.weixin.qq.com/document/path/90238
def _called(checkup: Checkup, addresses: Sequence[str]) -> Finding:
    """Only WeCom can tell whether it reaches us, when the address is saved."""
    page = f"{APP} → 接收消息 → 设置API接收"
    heard, silent = came_in(checkup, "app", HEARD)
    if not heard:
        whence = f" WeCom calls from {', '.join(addresses)}." if addresses else ""
        return Finding(
            True,
            f"Nothing has come in from the app this week. Enter {address(checkup, '/wecom/app')}"
            f" as URL at {page}, with Token and EncodingAESKey as in WECOM_TOKEN and"
            " WECOM_ENCODING_AES_KEY, press 保存 while the server runs, and write to the app."
            + whence,
            advice=True,
        )
    if not silent:
        return Finding(True, "Everything that the app can send has come in this week.")
    return Finding(
        True,
        f"Came in from the app this week: {', '.join(heard)}. Did not: {', '.join(silent)}. If"
        f" somebody has tried, look at {page}.",
    )


async def _menu(app: App, api: WecomApi, checkup: Checkup, reader_for: ReaderFor) -> Finding:
    """In whichever language it was pushed."""
    try:
        standing = await menu.standing(api, app.agent_id)
    except WecomRefused as refused:
        if refused.code != NO_MENU:
            raise
        return Finding(True, "The app has no menu: run `banzhang wecom menu`.", advice=True)

    def ours(locale: Locale) -> Json:
        reader = reader_for(locale, "UTC", checkup.now)

        def say(words: Words) -> str:
            return "".join(span.text for span in reader.spans(words))

        return menu.menu(say, checkup.verbs)

    if checkup.verbs and not any(menu.is_same(standing, ours(locale)) for locale in LOCALES):
        return Finding(
            True,
            f"The app's menu is not the one that this version makes ({menu.shown(standing)}): run"
            " `banzhang wecom menu`.",
            advice=True,
        )
    return Finding(True, f"The app's menu is there: {menu.shown(standing)}.")
