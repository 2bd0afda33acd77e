"""What WeCom's error codes mean for a message that was to be sent.

https://developer.work.weixin.qq.com/document/path/90313 (all of them)
https://developer.work.weixin.qq.com/document/path/101463 (the aibot's)
The text that comes with a code changes as WeCom likes; only the caller's own address is read in it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from enum import Enum

from adapters.contract import DeliveryFailed

# A person has to act first, in WeCom's console.
ALARM_WAIT = 600.0
# What is over a minute's limit is let through again after a minute.
RATE_WAIT = 60.0

GET_TOKEN = "gettoken"  # noqa: S105 - the name of a call
# Words of ours where WeCom gives no code: it did send the message, but not to this person.
INVALID_USER, UNLICENSED = "invaliduser", "unlicensed"


class Kind(Enum):
    """What can be done about a code."""

    RETRY = "retry"
    """WeCom's own trouble: the same again, later."""
    TOKEN = "token"  # noqa: S105 - a kind of code
    """The access token has run out, or was withdrawn: a new one helps."""
    ALARM = "alarm"
    """Secret, corp or app are wrong or switched off: nothing goes out until somebody acts."""
    NETWORK = "network"
    """WeCom does not trust the address that we call from; as bad."""
    FORBIDDEN = "forbidden"
    """The app may not do this, or not to them."""
    UNREACHABLE = "unreachable"
    """There is nobody of this name, or not within the app's sight."""
    RATE = "rate"
    """Too often."""
    GONE_GROUP = "gone_group"
    """The group is there no more, or the bot is not in it (any more)."""
    DEAD = "dead"
    """It will never work as it is."""


CODES: Mapping[int, Kind] = {
    -1: Kind.RETRY,  # busy
    6000: Kind.RETRY,  # somebody else changed it at the same time
    81026: Kind.RETRY,  # under repair
    846609: Kind.RETRY,  # not subscribed: for a moment after the socket is opened anew
    40014: Kind.TOKEN,  # no valid access_token
    42001: Kind.TOKEN,  # an access_token that has run out
    40001: Kind.ALARM,  # wrong secret, or the app is switched off
    40013: Kind.ALARM,  # no such corp
    40056: Kind.ALARM,  # no such agentid
    40091: Kind.ALARM,  # the secret of another corp
    40141: Kind.ALARM,  # something is wrong with the corp's account
    41001: Kind.ALARM,  # no access_token
    41002: Kind.ALARM,  # no corpid
    41004: Kind.ALARM,  # no secret
    45031: Kind.ALARM,  # the secret is no longer safe enough
    48006: Kind.ALARM,  # rights withdrawn, since nobody used the app for long
    50003: Kind.ALARM,  # the app is switched off
    301002: Kind.ALARM,  # the access_token of another agentid
    853000: Kind.ALARM,  # wrong id or secret of the aibot
    60020: Kind.NETWORK,  # an address that is not trusted
    43012: Kind.FORBIDDEN,  # cards to press on need a callback address
    48001: Kind.FORBIDDEN,
    48002: Kind.FORBIDDEN,  # the app has no right to this call
    48004: Kind.FORBIDDEN,
    60011: Kind.FORBIDDEN,  # no right to this member, department or tag
    40003: Kind.UNREACHABLE,  # no valid userid
    40031: Kind.UNREACHABLE,  # no valid list of userids
    46004: Kind.UNREACHABLE,  # no such member
    50002: Kind.UNREACHABLE,  # a member out of sight
    60021: Kind.UNREACHABLE,  # a userid out of sight
    60111: Kind.UNREACHABLE,  # no such userid
    81013: Kind.UNREACHABLE,  # none of the receivers is valid or in sight
    92000: Kind.UNREACHABLE,  # a member out of sight
    45009: Kind.RATE,  # too often
    45033: Kind.RATE,  # too many at once
    40050: Kind.GONE_GROUP,  # no such chatid
    49008: Kind.GONE_GROUP,  # the group was dissolved
    86001: Kind.GONE_GROUP,  # no valid chatid
    86003: Kind.GONE_GROUP,  # no such chatid
    86008: Kind.GONE_GROUP,  # a group that is not the app's
    93000: Kind.GONE_GROUP,  # the group's webhook was removed
    93001: Kind.GONE_GROUP,  # nobody has spoken to the bot there yet
    93004: Kind.GONE_GROUP,  # the robot is switched off
    93006: Kind.GONE_GROUP,  # no valid group
    93008: Kind.GONE_GROUP,  # the bot is not in the group
    40007: Kind.DEAD,  # no such media_id; they last three days
    40008: Kind.DEAD,  # no such msgtype
    40032: Kind.DEAD,  # too many userids
    40033: Kind.DEAD,  # characters written as \uXXXX
    40058: Kind.DEAD,  # a bad parameter
    40063: Kind.DEAD,  # a parameter is missing
    40201: Kind.DEAD,  # taken for spam
    44004: Kind.DEAD,  # empty
    45002: Kind.DEAD,  # too long
    60140: Kind.DEAD,  # a response_code that was used, or is too old
    82001: Kind.DEAD,  # to nobody
    82004: Kind.DEAD,  # content that would break the client
    86006: Kind.DEAD,  # too many members, or too few
    86215: Kind.DEAD,  # the chatid is taken
    93017: Kind.DEAD,  # empty
    846605: Kind.DEAD,  # no such req_id
    846608: Kind.DEAD,  # the stream has run out
}
"""What is not in here is dead: a code that nobody knows does not get better by repetition."""

REFUSED = frozenset({Kind.ALARM, Kind.NETWORK})
"""The kinds with which WeCom lets the whole app out."""

_FROM_IP = re.compile(r"from ip: ?([0-9A-Fa-f.:]{2,45})", re.ASCII)


def kind_of(errcode: int) -> Kind:
    """What a code means; 0 is none."""
    return CODES.get(errcode, Kind.DEAD)


def failure(errcode: int, what: str) -> DeliveryFailed:
    """What WeCom's no to `what` (the call: "message/send") means for a message.

    `why` is the bare code. For code 0 it is `what`: INVALID_USER or UNLICENSED.
    """
    why, kind = (str(errcode) if errcode else what), kind_of(errcode)
    if kind in REFUSED or (kind is Kind.RATE and what == GET_TOKEN):
        # After several wrong secrets gettoken is closed to the address for an hour.
        return DeliveryFailed("retry", why, after=ALARM_WAIT, scope="platform")
    if kind is Kind.RATE:
        return DeliveryFailed("retry", why, after=RATE_WAIT, scope="address")
    if kind in (Kind.RETRY, Kind.TOKEN):
        return DeliveryFailed("retry", why)
    return DeliveryFailed("dead", why)


def told_ip(errmsg: str) -> str | None:
    """The address that WeCom saw us call from, where it says so (with code 60020)."""
    found = _FROM_IP.search(errmsg)
    if not found:
        return None
    try:
        return str(ipaddress.ip_address(found[1].rstrip(".:") or found[1]))
    except ValueError:
        return None


def says_nobody(why: str) -> bool:
    """Whether a failure's reason is that there is nobody of this name, or not in sight."""
    return why == INVALID_USER or (why.isdigit() and kind_of(int(why)) is Kind.UNREACHABLE)


def says_no_group(why: str) -> bool:
    """Whether it is that the aibot, or a group robot, has no such chat."""
    return why.isdigit() and kind_of(int(why)) is Kind.GONE_GROUP
