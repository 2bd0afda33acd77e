"""What DingTalk's error codes mean for a message that was to be sent.

The newer half of the API answers {"code", "message"} and the older half {"errcode", "errmsg"}; here
both are one string. The HTTP status says little: 403 is a pause, a missing permission or an empty
account, and only the code tells which.

https://open.dingtalk.com/document/orgapp/server-api-error-codes-1 (newer)
https://open.dingtalk.com/document/orgapp/server-api-error-codes (older)
https://open.dingtalk.com/document/orgapp/the-robot-sends-a-group-message (the robot's)
https://open.dingtalk.com/document/orgapp/how-to-process-api-throttling-on-the-dingtalk-server
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Protocol

from adapters.contract import DeliveryFailed

# A person has to act first, in DingTalk's console.
ALARM_WAIT = 600.0
# A second's limit is over after a second.
RATE_WAIT = 1.0
# A custom robot that was too quick is silent for so long:
# https://open.dingtalk.com/document/robots/custom-robot-access
ROBOT_WAIT = 600.0
# https://open.dingtalk.com/document/orgapp/how-to-process-api-throttling-on-the-dingtalk-server
BAN_WAIT = 300.0
# To look again whether the month's calls have come back; `Quota` says when one is really made.
QUOTA_WAIT = 60.0

# The calls that only identify us: a no to them is never about a message.
GET_TOKEN = "/v1.0/oauth2/accessToken"  # noqa: S105 - the name of a call
OPEN_STREAM = "/v1.0/gateway/connections/open"
# The one call that is made with the token of a group's custom robot.
ROBOT_SEND = "/robot/send"

# Words of ours where DingTalk gives no code: its wall answered instead of the API, or it took the
# message and gave it to everybody but this person.
IP_BAN = "ip_ban"
INVALID_STAFF = "invalid_staff"
FILTERED_STAFF = "filtered_staff"
FLOW_CONTROLLED = "flow_controlled"

# There is a card of this name: https://open.dingtalk.com/document/orgapp/create-and-deliver-cards
KNOWN_CARD = "param.cardAlreadyExist"
# What stands in the catalogues under `delivery.because.dingtalk`.
NO_PERMISSION, NOBODY, NO_GROUP = "no_permission", "nobody", "no_group"
ROBOT_GONE, ROBOT_UNSAFE = "robot_gone", "robot_unsafe"


class Kind(Enum):
    """What can be done about a code."""

    RETRY = "retry"
    """DingTalk's own trouble: the same again, later."""
    TOKEN = "token"  # noqa: S105 - a kind of code
    """The access token has run out, or was withdrawn: a new one helps."""
    RATE = "rate"
    """Too often."""
    QUOTA = "quota"
    """The organisation has used up its calls of this month."""
    PERMISSION = "permission"
    """The app may not do this; the answer may name the permissions that it lacks."""
    ALARM = "alarm"
    """Client id, secret or robot code are wrong, or the app is off: nothing goes out until somebody
    acts."""
    UNREACHABLE = "unreachable"
    """There is nobody of this staff id."""
    GONE_GROUP = "gone_group"
    """The group is there no more, the robot is not in it, or its webhook is not known any more."""
    BANNED = "banned"
    """DingTalk does not listen to the address that we call from."""
    DEAD = "dead"
    """It will never work as it is."""


# "Unverified": not in the lists above as they were read, but seen elsewhere or guessed by its name.
CODES: Mapping[str, Kind] = {
    IP_BAN: Kind.BANNED,
    INVALID_STAFF: Kind.UNREACHABLE,
    # --- the newer half
    "ServiceUnavailable": Kind.RETRY,  # unverified
    "InternalError": Kind.RETRY,  # unverified
    "system.busy": Kind.RETRY,
    "system.error": Kind.RETRY,  # unverified
    "systemError": Kind.RETRY,  # unverified
    "unknownError": Kind.RETRY,  # unverified
    "unknown.send.result": Kind.RETRY,  # it may have been sent: see `failure`
    "InvalidAuthentication": Kind.TOKEN,
    "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi": Kind.RATE,
    "Forbidden.AccessDenied.QpsLimitForApi": Kind.RATE,
    "Forbidden.AccessDenied.ApiCountLimitForOrg": Kind.QUOTA,
    "Forbidden.AccessDenied.AccessTokenPermissionDenied": Kind.PERMISSION,
    "chatbotId.notAllow.sendOTO": Kind.PERMISSION,
    "Forbidden.AccessDenied.IpNotInWhiteList": Kind.ALARM,  # unverified
    "authFailed": Kind.ALARM,  # connections/open: wrong client id or secret
    "invalid.client": Kind.ALARM,
    "invalidClientIdOrSecret": Kind.ALARM,
    "invalidParameter.robotCode.auth": Kind.ALARM,  # the robot of another app
    "invalidParameter.robotCode.empty": Kind.ALARM,
    "invalidParameter.robotCode.invalid": Kind.ALARM,
    "invalidParameter.robotCode.missing": Kind.ALARM,
    "staffId.notExisted": Kind.UNREACHABLE,
    "staff.not.found": Kind.UNREACHABLE,
    "param.userIdNotExist": Kind.UNREACHABLE,
    "userNotExist": Kind.UNREACHABLE,
    "chatbot.notFound": Kind.GONE_GROUP,
    "chatbotNotFound": Kind.GONE_GROUP,
    "chatbotNotInstall": Kind.GONE_GROUP,
    "bot.stopped": Kind.GONE_GROUP,
    "group.disbanded": Kind.GONE_GROUP,
    "invalid.openConversationId": Kind.GONE_GROUP,
    "invalidParameter.openConversationId.invalid": Kind.GONE_GROUP,  # unverified
    "openConversationId.notExisted": Kind.GONE_GROUP,
    # Also said where the app was never published, so that it has no robot yet.
    "invalidParameter.robotCode.notExsit": Kind.GONE_GROUP,  # written like this
    # --- the older half
    "-1": Kind.RETRY,  # busy
    "40001": Kind.TOKEN,  # of a wrong secret too, but no secret goes to the older half
    "40014": Kind.TOKEN,
    "41001": Kind.TOKEN,  # no access_token
    "42001": Kind.TOKEN,
    "90002": Kind.RATE,
    "90018": Kind.RATE,
    "90020": Kind.QUOTA,
    "60011": Kind.PERMISSION,
    "60020": Kind.ALARM,  # an address that is not in the app's list
    "33012": Kind.UNREACHABLE,
    "40003": Kind.UNREACHABLE,
    "60121": Kind.UNREACHABLE,
    # --- webhooks of sessions, and custom robots
    "90030": Kind.RATE,  # the webhook was called too often
    "130101": Kind.RATE,
    "302033": Kind.RATE,  # unverified
    "410100": Kind.RATE,  # unverified
    "300001": Kind.GONE_GROUP,  # no such session, no such token
    "300005": Kind.GONE_GROUP,  # no such token
    "310000": Kind.PERMISSION,  # a wrong sign, no keyword in it, or an address not in its list
    "400013": Kind.GONE_GROUP,  # unverified: the group was dissolved
    "400101": Kind.GONE_GROUP,  # unverified: no such token
    "400102": Kind.GONE_GROUP,  # unverified: the robot is switched off
    "400106": Kind.GONE_GROUP,  # unverified: no such robot
}

# Whole families, of which new members come up.
_FAMILIES: Mapping[str, Kind] = {
    "Throttling": Kind.RATE,  # unverified
    "Forbidden.AccessDenied.": Kind.PERMISSION,
}
_OF_ROBOTS = frozenset({"90030", "130101", "302033", "410100"})
# DingTalk itself does not know whether it was sent.
_UNSURE = frozenset({"unknown.send.result"})
_IDENTIFYING = frozenset({GET_TOKEN, OPEN_STREAM})

_WORDS: Mapping[Kind, str] = {
    Kind.PERMISSION: NO_PERMISSION,
    Kind.UNREACHABLE: NOBODY,
    Kind.GONE_GROUP: NO_GROUP,
}
_WORDS_OF_A_ROBOT: Mapping[Kind, str] = {
    Kind.PERMISSION: ROBOT_UNSAFE,
    Kind.GONE_GROUP: ROBOT_GONE,
}


def is_known(code: str) -> bool:
    """Whether the code is in the lists; DingTalk's servers say others too when they stumble."""
    return code in CODES or any(code.startswith(family) for family in _FAMILIES)


def kind_of(code: str) -> Kind:
    """What a code means. What nobody knows is dead: it does not get better by repetition."""
    found = CODES.get(code)
    if found is not None:
        return found
    return next((kind for family, kind in _FAMILIES.items() if code.startswith(family)), Kind.DEAD)


def is_alarm(code: str, what: str) -> bool:
    """Whether with this no to `what` (a path: GET_TOKEN) DingTalk lets the whole app out."""
    kind = kind_of(code)
    passing = (Kind.RETRY, Kind.RATE, Kind.QUOTA, Kind.BANNED)
    return kind is Kind.ALARM or (what in _IDENTIFYING and kind not in passing)


class Refusal(Protocol):
    """A no of DingTalk's: answers.DingtalkRefused."""

    code: str
    what: str
    scopes: tuple[str, ...]


def failure(refused: Refusal) -> DeliveryFailed:
    """What DingTalk's no to a call means for a message. `why` is the code; of what people can do
    something about, a word of ours, and behind a blank what it is about.
    """
    code = refused.code
    kind = kind_of(code)
    if is_alarm(code, refused.what):
        return DeliveryFailed("retry", code, after=ALARM_WAIT, scope="platform")
    if kind is Kind.BANNED:
        return DeliveryFailed("retry", code, after=BAN_WAIT, scope="platform")
    if kind is Kind.RATE:
        return DeliveryFailed("retry", code, after=ROBOT_WAIT if code in _OF_ROBOTS else RATE_WAIT)
    if kind is Kind.QUOTA:
        return DeliveryFailed("retry", code, after=QUOTA_WAIT)
    if code in _UNSURE:
        return DeliveryFailed("unknown", code)
    if kind in (Kind.RETRY, Kind.TOKEN):
        return DeliveryFailed("retry", code)
    # A custom robot has its own setting, and knows nothing of the app's.
    words = _WORDS_OF_A_ROBOT if refused.what == ROBOT_SEND else _WORDS
    about = ", ".join(refused.scopes) or code
    return DeliveryFailed("dead", f"{words.get(kind, '')} {about}".strip())


def may_be_ones_fault(code: str) -> bool:
    """Whether one receiver among several may be why a call for all of them was refused."""
    return kind_of(code) in (Kind.UNREACHABLE, Kind.DEAD)


def says_nobody(why: str) -> bool:
    """Whether a failure's reason is that there is nobody of this staff id, or not in sight."""
    return why.partition(" ")[0] in (NOBODY, INVALID_STAFF)


def says_no_group(why: str) -> bool:
    """Whether it is that the robot has no such group, or the webhook no such session."""
    return why.partition(" ")[0] == NO_GROUP


def says_no_permission(why: str) -> bool:
    """Whether it is that the app may not do this."""
    return why.partition(" ")[0] == NO_PERMISSION


def says_no_robot(why: str) -> bool:
    """Whether it is that a custom robot is there no more, or does not take us for who we are."""
    return why.partition(" ")[0] in (ROBOT_GONE, ROBOT_UNSAFE)


def says_made_before(why: str) -> bool:
    """Whether it is that there is a card of this name already."""
    return why == KNOWN_CARD
