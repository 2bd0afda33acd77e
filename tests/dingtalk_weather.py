"""What goes wrong with DingTalk on a bad day, one after the other."""

from __future__ import annotations

from collections.abc import Callable

from tests.dingtalk_world import Day
from tests.platforms.dingtalk_api import (
    ACCESS_TOKEN,
    CREATE_AND_DELIVER,
    ROBOT,
    SESSION,
    TO_GROUP,
    TO_PEOPLE,
)
from tests.platforms.dingtalk_gateway import CLEAN, CUT, INTERNAL_ERROR
from tests.platforms.dingtalk_refusals import BAD_TOKEN, IP_BAN, QPS
from tests.world import MEMBERS


def storms(day: Day) -> list[Callable[[], None]]:
    """What DingTalk's API does on a bad day."""
    fail = day.api.fail
    return [
        lambda: fail(TO_PEOPLE, code=QPS, times=3),
        lambda: fail("*", code="system.busy", times=9),
        lambda: fail(TO_PEOPLE, status=502, times=2),
        lambda: fail(TO_GROUP, status=504, body={"code": "ServiceUnavailable"}, times=2),
        lambda: fail(TO_PEOPLE, "drop", times=2),
        lambda: fail("*", "drop_after", times=2),
        lambda: fail(CREATE_AND_DELIVER, "drop_after", times=4),
        lambda: fail("*", slow=8.0, times=6),
        lambda: fail(TO_PEOPLE, slow=12.0),
        lambda: fail(TO_PEOPLE, flow_controlled=MEMBERS, times=3),
        lambda: fail("*", status=200, body=IP_BAN),
        lambda: fail(TO_PEOPLE, status=403, body=b"<html>denied</html>"),
        day.api.expire_tokens,
        lambda: fail(TO_PEOPLE, code=BAD_TOKEN, times=3),
        lambda: refuse_tokens(day),
        lambda: fail(SESSION, errcode=300001, times=3),
        lambda: fail(SESSION, "drop", times=2),
        lambda: fail(ROBOT, errcode=-1, times=2),
        lambda: fail(ROBOT, errcode=130101),
    ]


def refuse_tokens(day: Day) -> None:
    """There is no token to be had for a while."""
    day.api.expire_tokens()
    day.api.fail(ACCESS_TOKEN, code="system.busy", times=3)
    day.api.fail(ACCESS_TOKEN, "drop", times=2)
    day.api.fail(ACCESS_TOKEN, status=503, times=2)


def lines(day: Day) -> list[Callable[[], None]]:
    """What becomes of its Stream on such a day."""
    gateway = day.gateway
    return [
        lambda: gateway.close(CLEAN),
        lambda: setattr(gateway, "stall", 8.0),
        lambda: setattr(gateway, "closes_at_once", True),
        day.say_odd_things,
        lambda: gateway.close(CUT),
        lambda: gateway.double_next(3),
        lambda: setattr(gateway, "refused_handshakes", 3),
        lambda: setattr(gateway.listening[0], "is_zombie", True),
        lambda: setattr(gateway.listening[0], "is_silent", True),
        lambda: gateway.close(INTERNAL_ERROR),
        lambda: gateway.refuse_opens(times=3),
        gateway.disconnect,
    ]
