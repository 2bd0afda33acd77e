"""Who may grant what, and what may be set for a team. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from datetime import time
from functools import cache
from typing import Literal, get_args
from zoneinfo import available_timezones

from bot.messages import LOCALES, Refused, Role

# --- roles ---------------------------------------------------------------------------------------

# Who may give (and take) which roles. Everybody else: none. Nobody: their own.
GRANTS: Mapping[Role, frozenset[Role]] = {
    "manager": frozenset(("worker", "lead")),
    "admin": frozenset(("worker", "lead", "manager", "finance", "admin")),
}

# The order in which people are listed, and under which of their roles.
RANKING: tuple[Role, ...] = ("admin", "manager", "finance", "lead", "worker")


def grantable(roles: frozenset[Role]) -> frozenset[Role]:
    """The roles that somebody with these roles may give to others.

    >>> sorted(grantable(frozenset(("manager", "worker"))))
    ['lead', 'worker']
    """
    none: frozenset[Role] = frozenset()
    return none.union(*(GRANTS.get(role, none) for role in roles))


def may_grant(giver: frozenset[Role], role: Role, *, oneself: bool) -> bool:
    """Whether somebody with the roles `giver` may give a role, to another or to `oneself`."""
    return not oneself and role in grantable(giver)


def may_remove(remover: frozenset[Role], roles: frozenset[Role], *, oneself: bool) -> bool:
    """Whether somebody who has `roles` may be taken off: each must be the remover's to take."""
    return not oneself and roles <= grantable(remover)


def ranked(roles: Collection[str]) -> tuple[Role, ...]:
    """Roles of the roster, the one that says most first."""
    return tuple(role for role in RANKING if role in roles)


# --- what a team may set -------------------------------------------------------------------------

Setting = Literal[
    "zone", "language", "quiet", "guests", "longest_day", "approve_hours", "budget", "reaction"
]
SETTINGS: tuple[Setting, ...] = get_args(Setting)

Quiet = tuple[time, time]
SettingValue = str | int | bool | Quiet

ON = frozenset(("on", "yes", "true", "开", "开启", "打开", "开着", "是", "允许"))
OFF = frozenset(("off", "no", "none", "false", "关", "关闭", "关掉", "否", "不", "无", "不允许"))
LANGUAGES = {
    "zh": "zh_CN", "zh_cn": "zh_CN", "zh-cn": "zh_CN", "chinese": "zh_CN", "cn": "zh_CN",
    "中文": "zh_CN", "汉语": "zh_CN", "简体中文": "zh_CN",
    "en": "en", "english": "en", "英文": "en", "英语": "en",
}  # fmt: skip
# What people call a place whose zone has another name.
PLACES = {
    "上海": "Asia/Shanghai", "北京": "Asia/Shanghai", "beijing": "Asia/Shanghai",
    "深圳": "Asia/Shanghai", "广州": "Asia/Shanghai", "成都": "Asia/Shanghai",
    "中国": "Asia/Shanghai", "china": "Asia/Shanghai", "乌鲁木齐": "Asia/Urumqi",
    "香港": "Asia/Hong_Kong", "澳门": "Asia/Macau", "台北": "Asia/Taipei",
    "新加坡": "Asia/Singapore", "东京": "Asia/Tokyo", "首尔": "Asia/Seoul",
    "伦敦": "Europe/London", "巴黎": "Europe/Paris", "柏林": "Europe/Berlin",
    "纽约": "America/New_York", "洛杉矶": "America/Los_Angeles", "悉尼": "Australia/Sydney",
}  # fmt: skip

# The names that platforms give to a few signs people would choose; any other goes by its name.
SIGNS = {
    "❓": "question", "❔": "grey_question", "❗": "exclamation", "🆘": "sos", "🙋": "raising_hand",
    "👀": "eyes", "🎫": "ticket", "🚩": "triangular_flag_on_post", "📌": "pushpin", "🔔": "bell",
}  # fmt: skip
SIGN_OF = {name: sign for sign, name in SIGNS.items()}

_SIGN = re.compile(r":?([a-z0-9_+'-]{1,100})(?:::skin-tone-\d)?:?")
_CLOCK = r"(\d{1,2})(?:[:点.](\d{2})|点半|点)?"
_SPAN = re.compile(rf"{_CLOCK}\s*(?:-|~|–|—|至|到|to|until)\s*{_CLOCK}")
_HOURS = re.compile(r"(\d{1,2})\s*(?:h|hours?|小时|个小时)?")
_TIMES = re.compile(r"(\d{1,3})\s*(?:a day|per day|/day|次|条|次/天|条/天)?")


def read_setting(setting: Setting, typed: str) -> SettingValue:
    """What somebody typed for a setting → its value.

    zone: an IANA name · language: a locale · quiet: (start, end), equal when there are none ·
    guests, approve_hours: on or off · longest_day: hours · budget: reminders a day · reaction: the
    name of an emoji, "" for none.
    Raises Refused with an example.
    """
    plain = " ".join(unicodedata.normalize("NFKC", typed).lower().split())
    value = _READERS[setting](plain)
    if value is None:
        raise Refused(f"teams.bad_{setting}", field="value", typed=typed.strip()[:60])
    return value


def _zone(plain: str) -> str | None:
    return PLACES.get(plain) or _zones().get(plain.replace(" ", "_"))


@cache
def _zones() -> dict[str, str]:
    """Real zones by what one may type: the whole name, or the city where only one has it."""
    names = sorted(name for name in available_timezones() if "/" in name or name == "UTC")
    cities: dict[str, list[str]] = {}
    for name in names:
        cities.setdefault(name.rpartition("/")[2].lower(), []).append(name)
    # Etc/GMT+8 lies eight hours west: whoever types it means the opposite.
    real = [name for name in names if not name.startswith("Etc/")]
    single = {city: found[0] for city, found in cities.items() if len(found) == 1}
    only_real = {city: name for city, name in single.items() if name in real}
    return only_real | {name.lower(): name for name in real}


def _language(plain: str) -> str | None:
    found = LANGUAGES.get(plain)
    return found if found in LOCALES else None


def _quiet(plain: str) -> Quiet | None:
    if plain in OFF:
        return time(0), time(0)
    found = _SPAN.fullmatch(plain)
    if found is None:
        return None
    first, second = plain[: found.start(3)], plain[found.start(3) :]
    start = _clock(found[1], found[2], half="点半" in first)
    end = _clock(found[3], found[4], half="点半" in second)
    # Equal ends would be read as "all day" by one and "never" by the next.
    return None if start is None or end is None or start == end else (start, end)


def _clock(hour: str, minute: str | None, *, half: bool) -> time | None:
    at, past = int(hour), int(minute or (30 if half else 0))
    if (at, past) == (24, 0):
        return time(0)
    return time(at, past) if at < 24 and past < 60 else None


def _switch(plain: str) -> bool | None:
    if plain in ON:
        return True
    return False if plain in OFF else None


def _longest_day(plain: str) -> int | None:
    return _number(_HOURS, plain, 1, 24)


def _budget(plain: str) -> int | None:
    return _number(_TIMES, plain, 1, 50)


def _reaction(plain: str) -> str | None:
    if plain in OFF:
        return ""
    sign = plain.replace("\ufe0f", "")
    if sign in SIGNS:
        return SIGNS[sign]
    found = _SIGN.fullmatch(plain)
    return found[1] if found else None


def _number(pattern: re.Pattern[str], plain: str, least: int, most: int) -> int | None:
    found = pattern.fullmatch(plain)
    return int(found[1]) if found and least <= int(found[1]) <= most else None


_READERS = {
    "zone": _zone,
    "language": _language,
    "quiet": _quiet,
    "guests": _switch,
    "longest_day": _longest_day,
    "approve_hours": _switch,
    "budget": _budget,
    "reaction": _reaction,
}
