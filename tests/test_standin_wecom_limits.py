"""What the stand-in leaves out without a word, and what goes wrong on demand."""

from __future__ import annotations

import pytest

from tests.platforms.faults import LineBroken
from tests.platforms.wecom_model import Json
from tests.platforms.wecom_tenant import CARD, Tenant


@pytest.fixture
def tenant() -> Tenant:
    return Tenant()


# ---- what is left out without a word


def test_the_same_again_is_shown_once(tenant: Tenant) -> None:
    once: Json = {"enable_duplicate_check": 1, "duplicate_check_interval": 600}
    assert tenant.say("一", **once)["errcode"] == 0
    assert tenant.say("一", **once)["errcode"] == 0
    assert len(tenant.corp.timeline) == 1
    for again in (("一", "lisi"), ("二", "zhangsan")):
        tenant.say(again[0], to=again[1], **once)
    assert len(tenant.corp.timeline) == 3
    tenant.corp.advance(601)
    tenant.say("一", **once)
    assert len(tenant.corp.timeline) == 4


def test_the_interval_is_the_later_messages(tenant: Tenant) -> None:
    tenant.say("一", enable_duplicate_check=1, duplicate_check_interval=60)
    tenant.corp.advance(120)
    tenant.say("一", enable_duplicate_check=1)
    assert len(tenant.corp.timeline) == 1
    for wrong in (0, 14401, "600"):
        refused = tenant.say("一", enable_duplicate_check=1, duplicate_check_interval=wrong)
        assert refused["errcode"] == 40058


@pytest.mark.parametrize(("remembers", "shown"), [(False, 2), (True, 1)])
def test_is_a_message_without_the_flag_an_earlier_one(
    tenant: Tenant, remembers: bool, shown: int
) -> None:
    tenant.api.remembers_unflagged = remembers
    tenant.say("一")
    tenant.say("一", enable_duplicate_check=1)
    assert len(tenant.corp.timeline) == shown


@pytest.mark.parametrize(("task_first", "errcode"), [(False, 0), (True, 42014)])
def test_is_a_card_sent_again_a_task_that_was_there(
    tenant: Tenant, task_first: bool, errcode: int
) -> None:
    tenant.api.messages.checks_task_id_first = task_first
    tenant.send("template_card", CARD, enable_duplicate_check=1)
    again = tenant.send("template_card", CARD, enable_duplicate_check=1)
    assert again["errcode"] == errcode
    assert len(tenant.corp.timeline) == 1


def test_too_many_to_one_member_are_dropped_in_silence(tenant: Tenant) -> None:
    for number in range(32):
        assert tenant.say(str(number))["errcode"] == 0
    assert (len(tenant.corp.timeline), tenant.corp.dropped) == (30, 2)
    tenant.say("一", to="lisi")
    tenant.corp.advance(59)
    tenant.say("还在封")
    assert (len(tenant.corp.timeline), tenant.corp.dropped) == (31, 3)
    tenant.corp.advance(2)
    tenant.say("好了")
    assert tenant.corp.last("zhangsan") == "好了"


def test_too_many_in_an_hour_are_dropped_for_an_hour(tenant: Tenant) -> None:
    for number in range(1001):
        tenant.corp.advance(2.5)
        tenant.say(str(number))
    assert (len(tenant.corp.timeline), tenant.corp.dropped) == (1000, 1)
    tenant.corp.advance(3590)
    tenant.token = tenant.ask_token()["access_token"]
    tenant.say("还在封")
    tenant.corp.advance(20)
    tenant.say("好了")
    assert (tenant.corp.last("zhangsan"), tenant.corp.dropped) == ("好了", 2)


# ---- what goes wrong on demand, and what is noted


def test_faults_come_in_order_and_end(tenant: Tenant) -> None:
    tenant.api.fail(errcode=-1)
    tenant.api.fail("/cgi-bin/message/send", errcode=6000, times=2)
    assert [tenant.say("一")["errcode"] for _ in range(4)] == [6000, 6000, -1, 0]
    tenant.api.fail(errcode=45033, times=None)
    assert {tenant.say("一")["errcode"] for _ in range(9)} == {45033}
    tenant.api.heal()
    assert tenant.say("一")["errcode"] == 0


def test_a_line_breaks_before_or_after(tenant: Tenant) -> None:
    tenant.api.fail("message/send", "drop")
    with pytest.raises(LineBroken):
        tenant.say("一")
    assert tenant.corp.timeline == []
    tenant.api.fail("message/send", "drop_after")
    with pytest.raises(LineBroken):
        tenant.say("一")
    assert tenant.corp.last("zhangsan") == "一"


def test_every_call_is_noted_without_its_secrets(tenant: Tenant) -> None:
    seen: list[str] = []
    tenant.api.watch = lambda call: seen.append(call.path)
    tenant.get("user/get", userid="lisi")
    tenant.post("media/upload", {"name": "a.csv", "content": b"1,2,3,4"}, type="file")
    assert seen == ["user/get", "media/upload"]
    call = tenant.api.calls_of("user/get")[0]
    assert (call.method, call.query, call.caller) == ("GET", {"userid": "lisi"}, "203.0.113.7")
    assert tenant.api.calls_of("media/upload")[0].body == {"name": "a.csv", "content": "7 bytes"}
    for one in tenant.api.calls:
        assert tenant.token not in str(one)
        assert tenant.corp.secret not in str(one)
