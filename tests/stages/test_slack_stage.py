"""Slack's stage: the real adapter before a cloud that behaves like Slack's, on a still clock."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from adapters.contract import Rejected, Request
from adapters.sandbox.world import Profile
from storage.tables import Punch
from tests.clock import MORNING
from tests.platforms.slack_driver import Reply
from tests.platforms.slack_requests import SignedRequest
from tests.stages import SLACK
from tests.stages.slack import SlackStage
from tests.stages.slack_cloud import Cloud
from tests.town import Town


@pytest.fixture
def profile() -> Profile:
    """On Slack alone."""
    return SLACK


def cloud_of(town: Town) -> Cloud:
    assert isinstance(town.stage, SlackStage)
    return town.stage.cloud


def test_slack_sees_the_same_request_both_times(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    bodies: list[bytes] = []
    cloud = cloud_of(town)
    send = cloud.send

    def noted(request: SignedRequest, what: str = "") -> Reply:
        bodies.append(request.body)
        return send(request, what)

    monkeypatch.setattr(cloud, "send", noted)
    town.say("访客", "咨询 几点？", in_group=True, key="a")
    town.wait(hours=1)
    town.say("访客", "咨询 几点？", in_group=True, key="a")
    assert len(bodies) == 4
    assert bodies[:2] == bodies[2:]


def test_slack_tells_work_time_by_the_towns_clock(town: Town) -> None:
    town.wait(hours=1)
    town.say("小王", "签到")
    with town.uow() as uow:
        (punch,) = uow.session.scalars(select(Punch)).all()
        assert punch.at == MORNING + timedelta(hours=1)


def test_slack_gives_no_message_the_time_of_another(town: Town) -> None:
    for _ in range(5):
        town.say("小王", "帮助", in_group=True)
    stamps = [one.ts for one in cloud_of(town).workspace.timeline]
    assert sorted(set(stamps)) == stamps


def test_what_slack_did_not_sign_is_not_let_in(town: Town) -> None:
    request = Request("POST", "/slack/events", {}, {}, b"{}", town.now)
    with pytest.raises(Rejected):
        town.run(town.adapter.receive(request, town.bot.dispatch.receive))


def test_a_press_in_a_channel_is_answered_to_whoever_pressed(town: Town) -> None:
    town.say("访客", "咨询 几点？", in_group=True)
    town.group()
    assert "归你了" in town.press("小王", "claim", on="Q1")
    assert not any("归你了" in one for one in town.group())
    assert [one.audience for one in town.said() if "归你了" in one.words] == ["小王"]


def test_a_mention_is_answered_below_it(town: Town) -> None:
    town.say("访客", "咨询 几点？", in_group=True)
    workspace = cloud_of(town).workspace
    asked = next(one for one in workspace.timeline if one.user == town.account("访客"))
    below = [one for one in workspace.timeline if one.thread_ts == asked.ts]
    assert any("Q1" in one.text for one in below)


def test_people_and_choices_of_a_form_are_picked(town: Town) -> None:
    town.say("周经理", "人员 添加")
    said = town.fill("周经理", people="小陈 访客", roles="组长")
    assert "小陈" in said
    assert "访客" in said
    with town.uow() as uow:
        found = uow.people.find("slack", town.account("访客"))
        assert found is not None
        assert uow.people.roles(found.id, uow.teams.first().id) == {"lead"}


def test_a_form_without_an_answer_is_not_sent(town: Town) -> None:
    town.say("小王", "咨询")
    assert not town.has_form("小王")
    with pytest.raises(AssertionError, match="does not send the form"):
        town.fill("小王")
    assert town.has_form("小王")


def test_a_field_that_is_not_there_cannot_be_filled(town: Town) -> None:
    town.say("小王", "咨询")
    with pytest.raises(AssertionError, match="no field"):
        town.fill("小王", question="几点？", weather="雨")
