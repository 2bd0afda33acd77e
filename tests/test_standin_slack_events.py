"""What people do in the stand-in reaches the app as the event that Slack documents for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.platforms.served import served
from tests.platforms.slack import StandInSlack

Seen = list[dict[str, Any]]


@pytest.fixture(scope="module")
def heard() -> Iterator[tuple[Seen, str]]:
    """An app that only listens, and its address."""
    seen: Seen = []

    async def listen(request: Request) -> Response:
        seen.append(await request.json())
        return Response()

    with served(Starlette(routes=[Route("/events", listen, methods=["POST"])])) as url:
        yield seen, f"{url}/events"


@pytest.fixture
def seen(heard: tuple[Seen, str]) -> Seen:
    heard[0].clear()
    return heard[0]


@pytest.fixture
def slack(heard: tuple[Seen, str]) -> Iterator[StandInSlack]:
    with StandInSlack(app_url=heard[1]) as standin:
        standin.add_user("U1", "wang")
        standin.add_user("U2", "小李", is_restricted=True)
        standin.add_channel("C1", "teachers", ["U1", "U2"])
        standin.add_channel("G1", "office", ["U1"], private=True)
        yield standin


@pytest.fixture
def client(slack: StandInSlack) -> WebClient:
    return WebClient(slack.token, base_url=slack.api_url)


def last(seen: Seen) -> dict[str, Any]:
    found: dict[str, Any] = seen[-1]["event"]
    return found


# ---- messages


def test_what_stands_in_a_message(slack: StandInSlack, seen: Seen) -> None:
    slack.say("U1", "G1", "@banzhang help")
    message, mention = (body["event"] for body in seen)
    assert (message["channel_type"], message["team"]) == ("group", "T0BANZHANG")
    assert message["client_msg_id"] == mention["client_msg_id"]
    assert message["event_ts"] == message["ts"] == mention["ts"]
    assert "channel_type" not in mention


def test_another_bot_speaks(slack: StandInSlack, seen: Seen) -> None:
    (reply,) = slack.bot_says("C1", "Standup in 5 minutes", username="calendar")
    assert reply.status_code == 200
    event = last(seen)
    assert (event["subtype"], event["bot_id"]) == ("bot_message", "B0CALENDAR")
    assert (event["username"], event["channel_type"]) == ("calendar", "channel")
    assert "user" not in event
    assert slack.last("C1") == "Standup in 5 minutes"


def test_a_message_is_edited(slack: StandInSlack, seen: Seen) -> None:
    slack.say("U1", "C1", "when is it?")
    message = slack.last_message("C1")
    slack.edit("U1", message, "when is it, @小李?")
    event = last(seen)
    assert (event["subtype"], event["hidden"]) == ("message_changed", True)
    assert event["message"]["text"] == "when is it, <@U2>?"
    assert event["message"]["edited"] == {"user": "U1", "ts": message.edited_ts}
    assert event["message"]["ts"] == event["previous_message"]["ts"] == message.ts
    assert event["previous_message"]["text"] == "when is it?"
    assert "edited" not in event["previous_message"]
    assert (event["channel"], event["channel_type"]) == ("C1", "channel")
    assert event["ts"] == event["event_ts"] != message.ts
    with pytest.raises(AssertionError, match="U2 cannot change"):
        slack.edit("U2", message, "mine now")


def test_a_message_is_taken_back(slack: StandInSlack, seen: Seen) -> None:
    slack.say("U1", None, "oops")
    message = slack.last_message("U1")
    slack.erase("U1", message)
    event = last(seen)
    assert (event["subtype"], event["deleted_ts"]) == ("message_deleted", message.ts)
    assert event["previous_message"]["text"] == "oops"
    assert event["channel_type"] == "im"
    assert slack.messages("U1") == []
    with pytest.raises(AssertionError, match="cannot change"):
        slack.erase("U1", message)


def test_reactions(slack: StandInSlack, client: WebClient, seen: Seen) -> None:
    ts = client.chat_postMessage(channel="C1", text="card")["ts"]
    card = slack.last_message("C1")
    slack.react("U2", card)
    event = last(seen)
    assert (event["type"], event["user"], event["reaction"]) == ("reaction_added", "U2", "question")
    assert event["item"] == {"type": "message", "channel": "C1", "ts": ts}
    assert event["item_user"] == "U0BANZHANG"
    assert card.reactions == [("U2", "question")]
    with pytest.raises(AssertionError, match=":question:"):
        slack.react("U2", card)
    slack.unreact("U2", card)
    assert last(seen)["type"] == "reaction_removed"
    assert card.reactions == []
    with pytest.raises(AssertionError, match="has no :eyes:"):
        slack.unreact("U2", card, "eyes")


# ---- the home tab and people


def test_the_home_tab_is_opened(slack: StandInSlack, client: WebClient, seen: Seen) -> None:
    slack.open_home("U1")
    event = last(seen)
    assert (event["type"], event["tab"], event["user"]) == ("app_home_opened", "home", "U1")
    assert event["channel"] == slack.direct("U1")
    assert "view" not in event
    client.views_publish(user_id="U1", view={"type": "home", "blocks": []})
    slack.open_home("U1")
    home = slack.home("U1")
    assert home is not None
    assert (last(seen)["view"]["id"], last(seen)["view"]["hash"]) == (home.id, home.hash)
    slack.open_home("U1", "messages")
    assert "view" not in last(seen)


def test_a_person_changes(slack: StandInSlack, client: WebClient, seen: Seen) -> None:
    slack.change_user("U2", tz="Asia/Tokyo", locale="en-US", profile={"title": "guest"})
    slack.change_user("U2", is_ultra_restricted=True, profile={"real_name": "Li Hua"})
    event = last(seen)
    assert event["type"] == "user_change"
    user = event["user"]
    assert (user["tz"], user["locale"]) == ("Asia/Tokyo", "en-US")
    assert user["is_restricted"]
    assert user["is_ultra_restricted"]
    assert (user["profile"]["title"], user["real_name"]) == ("guest", "Li Hua")
    assert "enterprise_user" not in user
    assert client.users_info(user="U2")["user"]["profile"] == user["profile"]
    slack.change_user("U2", enterprise_user={"id": "W1", "enterprise_id": "E1"})
    assert client.users_info(user="U2")["user"]["enterprise_user"]["id"] == "W1"


def test_a_person_leaves(slack: StandInSlack, client: WebClient, seen: Seen) -> None:
    known = client.chat_postMessage(channel="U1", text="hello")["channel"]
    for user in ("U1", "U2"):
        slack.deactivate(user)
        assert last(seen)["user"]["deleted"]
        assert "tz" not in last(seen)["user"]
        with pytest.raises(SlackApiError, match="user_disabled"):
            client.conversations_open(users=user)
    # Slack still takes what is said where something was said before.
    assert client.chat_postMessage(channel="U1", text="are you there?")["channel"] == known
    with pytest.raises(SlackApiError, match="channel_not_found"):
        client.chat_postMessage(channel="U2", text="are you there?")


def test_a_person_joins(slack: StandInSlack, client: WebClient, seen: Seen) -> None:
    slack.join_workspace("U9", "new")
    event = last(seen)
    assert (event["type"], event["user"]["id"]) == ("team_join", "U9")
    assert event["user"]["locale"] == "zh-CN"
    assert client.users_info(user="U9")["user"]["name"] == "new"


# ---- the bot's places


def test_the_bot_is_invited(slack: StandInSlack, client: WebClient, seen: Seen) -> None:
    slack.add_channel("C2", "elsewhere", ["U1"], bot=False)
    assert slack.say("U1", "C2", "nobody hears this") == []
    with pytest.raises(AssertionError, match="tells it nothing"):
        slack.react("U1", slack.last_message("C2"))
    with pytest.raises(SlackApiError, match="not_in_channel"):
        client.chat_postMessage(channel="C2", text="x")
    slack.invite_bot("C2", "U1")
    event = last(seen)
    assert (event["type"], event["user"]) == ("member_joined_channel", "U0BANZHANG")
    assert (event["channel"], event["channel_type"], event["inviter"]) == ("C2", "C", "U1")
    client.chat_postMessage(channel="C2", text="x")


def test_the_bot_is_removed(slack: StandInSlack, client: WebClient, seen: Seen) -> None:
    slack.remove_bot("C1", "U1")
    assert (last(seen)["type"], last(seen)["channel"]) == ("channel_left", "C1")
    slack.remove_bot("G1")
    assert (last(seen)["type"], last(seen)["actor_id"]) == ("group_left", "U1")
    with pytest.raises(SlackApiError, match="not_in_channel"):
        client.chat_postMessage(channel="C1", text="x")
    with pytest.raises(SlackApiError, match="channel_not_found"):
        client.chat_postMessage(channel="G1", text="x")


def test_a_channel_is_archived(slack: StandInSlack, client: WebClient, seen: Seen) -> None:
    slack.archive("C1", "U2")
    assert (last(seen)["type"], last(seen)["user"]) == ("channel_archive", "U2")
    with pytest.raises(SlackApiError, match="is_archived"):
        client.chat_postMessage(channel="C1", text="x")
    assert client.conversations_info(channel="C1")["channel"]["is_archived"]


def test_changes_that_no_app_hears_of(slack: StandInSlack) -> None:
    slack.deliver_to("")
    assert slack.remove_bot("C1") == []
    assert slack.archive("G1") == []


def test_an_event_is_delivered_again(slack: StandInSlack, seen: Seen) -> None:
    (reply,) = slack.say("U1", "C1", "hello")
    again = slack.redeliver(slack.redeliver(reply))
    assert len({body["event_id"] for body in seen}) == 1
    assert again.request.headers["X-Slack-Retry-Num"] == "2"
    assert again.request.headers["X-Slack-Retry-Reason"] == "http_timeout"
