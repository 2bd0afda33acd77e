"""The rest of the stand-in's Web API: reading back, scopes, files, menus, the clock."""

from __future__ import annotations

import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from tests.platforms.slack import StandInSlack
from tests.platforms.slack_blocks import problems_in_message
from tests.platforms.slack_model import Message

METADATA = {"event_type": "banzhang", "event_payload": {"query": "Q1"}}


@pytest.fixture
def slack() -> Iterator[StandInSlack]:
    with StandInSlack() as standin:
        standin.add_user("U1", "wang")
        standin.add_user("U2", "小李")
        standin.add_channel("C1", "teachers", ["U1", "U2"])
        standin.add_channel("G1", "office", ["U1"], private=True)
        yield standin


@pytest.fixture
def client(slack: StandInSlack) -> WebClient:
    return WebClient(slack.token, base_url=slack.api_url)


def words(answer: Any) -> list[str]:
    return [message["text"] for message in answer["messages"]]


def plain_text(text: str) -> dict[str, str]:
    return {"type": "plain_text", "text": text}


def option(value: str, text: str = "") -> dict[str, Any]:
    return {"text": plain_text(text or value), "value": value}


def actions(*elements: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"type": "actions", "block_id": "row", "elements": list(elements)}]


# ---- reading back


def test_history_begins_with_the_newest(slack: StandInSlack, client: WebClient) -> None:
    stamps = [client.chat_postMessage(channel="C1", text=text)["ts"] for text in "abcde"]
    client.chat_postEphemeral(channel="C1", user="U1", text="only you")
    client.chat_delete(channel="C1", ts=stamps[0])
    found = client.conversations_history(channel="C1", limit=3)
    assert words(found) == ["e", "d", "c"]
    assert found["has_more"]
    cursor = found["response_metadata"]["next_cursor"]
    rest = client.conversations_history(channel="C1", limit=3, cursor=cursor)
    assert (words(rest), rest["has_more"]) == (["b"], False)
    between = {"channel": "C1", "oldest": stamps[1], "latest": stamps[3]}
    assert words(client.conversations_history(**between)) == ["c"]
    assert words(client.conversations_history(**between, inclusive=True)) == ["d", "c", "b"]
    one = client.conversations_history(channel="C1", latest=stamps[3], inclusive=True, limit=1)
    assert words(one) == ["d"]


def test_metadata_is_shown_to_those_who_ask(client: WebClient) -> None:
    ts = client.chat_postMessage(channel="C1", text="Q1", metadata=METADATA)["ts"]
    for read in (client.conversations_history, client.conversations_replies):
        (message,) = read(channel="C1", ts=ts)["messages"]
        assert "metadata" not in message
        (message,) = read(channel="C1", ts=ts, include_all_metadata=True)["messages"]
        assert message["metadata"] == METADATA


def test_a_thread_begins_with_its_parent(slack: StandInSlack, client: WebClient) -> None:
    slack.scopes.add("reactions:write")
    parent = client.chat_postMessage(channel="C1", text="Q1")["ts"]
    replies = [
        client.chat_postMessage(channel="C1", text=text, thread_ts=parent)["ts"] for text in "ab"
    ]
    client.chat_postMessage(channel="C1", text="elsewhere")
    client.reactions_add(channel="C1", timestamp=parent, name="eyes")
    assert words(client.conversations_history(channel="C1")) == ["elsewhere", "Q1"]
    for ts in (parent, replies[1]):
        assert words(client.conversations_replies(channel="C1", ts=ts)) == ["Q1", "a", "b"]
    newer = client.conversations_replies(channel="C1", ts=parent, oldest=replies[0])
    assert words(newer) == ["Q1", "b"]
    first, second, _ = client.conversations_replies(channel="C1", ts=parent)["messages"]
    assert (first["thread_ts"], first["reply_count"]) == (parent, 2)
    assert (first["reply_users"], first["latest_reply"]) == (["U0BANZHANG"], replies[1])
    assert first["reactions"] == [{"name": "eyes", "users": ["U0BANZHANG"], "count": 1}]
    assert (second["thread_ts"], second["parent_user_id"]) == (parent, "U0BANZHANG")


@pytest.mark.parametrize(
    ("method", "arguments", "code"),
    [
        ("history", {"channel": "C404"}, "channel_not_found"),
        ("history", {"channel": "C9"}, "not_in_channel"),
        ("history", {"channel": "C1", "oldest": "yesterday"}, "invalid_ts_oldest"),
        ("history", {"channel": "C1", "limit": 1000}, "invalid_limit"),
        ("replies", {"channel": "C1", "ts": "1.2"}, "thread_not_found"),
    ],
)
def test_what_cannot_be_read(
    slack: StandInSlack, client: WebClient, method: str, arguments: dict[str, Any], code: str
) -> None:
    slack.add_channel("C9", "elsewhere", ["U1"], bot=False)
    client.chat_postMessage(channel="C1", text="x")
    with pytest.raises(SlackApiError, match=code):
        client.api_call(f"conversations.{method}", params=arguments)


# ---- scopes


def test_scopes_are_told_and_asked_for(slack: StandInSlack, client: WebClient) -> None:
    slack.scopes.discard("users:read")
    with pytest.raises(SlackApiError, match="missing_scope") as caught:
        client.users_info(user="U1")
    answer = caught.value.response
    assert answer["needed"] == "users:read"
    assert "chat:write" in answer["provided"].split(",")
    assert answer.headers["x-oauth-scopes"] == answer["provided"]
    assert slack.calls_of("users.info")[0].outcome == "missing_scope"


def test_each_kind_of_place_has_a_scope_of_its_own() -> None:
    with StandInSlack(scopes={"groups:history", "channels:read", "chat:write"}) as slack:
        slack.add_user("U1", "wang")
        slack.add_channel("C1", "teachers", ["U1"])
        slack.add_channel("G1", "office", ["U1"], private=True)
        client = WebClient(slack.token, base_url=slack.api_url)
        client.conversations_history(channel="G1")
        client.conversations_info(channel="C1")
        direct = client.chat_postMessage(channel="U1", text="x")["channel"]
        for method, channel, needed in (
            ("conversations.history", "C1", "channels:history"),
            ("conversations.replies", direct, "im:history"),
            ("conversations.info", "G1", "groups:read"),
        ):
            with pytest.raises(SlackApiError) as caught:
                client.api_call(method, params={"channel": channel, "ts": "1.2"})
            assert caught.value.response["needed"] == needed
        with pytest.raises(SlackApiError, match="channel_not_found"):
            client.conversations_members(channel="C404")


def test_a_token_without_any_scope(client: WebClient, slack: StandInSlack) -> None:
    slack.scopes.clear()
    assert client.auth_test()["user_id"] == "U0BANZHANG"
    client.views_publish(user_id="U1", view={"type": "home", "blocks": []})
    for method in ("chat.postMessage", "conversations.open", "files.getUploadURLExternal"):
        with pytest.raises(SlackApiError, match="missing_scope"):
            client.api_call(method)


# ---- files


def test_a_file_is_shared(slack: StandInSlack, client: WebClient) -> None:
    thread = client.chat_postMessage(channel="C1", text="pay")["ts"]
    client.files_upload_v2(
        channel="C1",
        thread_ts=thread,
        filename="pay.csv",
        content="a,b",
        title="November",
        initial_comment="Here it is",
    )
    message = slack.last_message("C1")
    (file,) = message.files
    assert (file["name"], file["title"], file["mimetype"]) == ("pay.csv", "November", "text/csv")
    assert slack.file_content(file["id"]) == b"a,b"
    assert (message.text, message.thread_ts) == ("Here it is", thread)
    assert slack.plain(message) == "Here it is\nNovember"
    (_, read) = client.conversations_replies(channel="C1", ts=thread)["messages"]
    assert read["files"] == [file]


def test_a_file_needs_a_place(slack: StandInSlack, client: WebClient) -> None:
    with pytest.raises(SlackApiError, match=r"must match regex pattern"):
        client.files_upload_v2(channel="U1", filename="pay.csv", content="a,b")
    direct = client.conversations_open(users="U1")["channel"]["id"]
    client.files_upload_v2(channel=direct, filename="pay.bin", content=b"\x00")
    assert slack.last_message("U1").files[0]["mimetype"] == "application/octet-stream"
    slack.remove_bot("C1")
    with pytest.raises(SlackApiError, match="not_in_channel"):
        client.files_upload_v2(channel="C1", filename="pay.csv", content="a,b")
    with pytest.raises(SlackApiError, match="file_not_found"):
        client.files_completeUploadExternal(files=[{"id": "F404"}])


# ---- the clock


def test_slacks_clock_and_ours(slack: StandInSlack, client: WebClient) -> None:
    for slack.skew in (0.0, 3600.0, -90.0):
        date = parsedate_to_datetime(client.auth_test().headers["Date"])
        assert date.timestamp() - time.time() == pytest.approx(slack.skew, abs=2.5)


# ---- menus

MENUS: list[dict[str, Any]] = [
    {"type": "overflow", "action_id": "more", "options": [option("e", "Edit"), option("x")]},
    {
        "type": "static_select",
        "action_id": "room",
        "option_groups": [{"label": plain_text("ground"), "options": [option("r1", "Room 1")]}],
    },
    {
        "type": "multi_static_select",
        "action_id": "days",
        "max_selected_items": 2,
        "options": [option("mon"), option("tue"), option("wed")],
    },
    {"type": "users_select", "action_id": "who", "placeholder": plain_text("Who?")},
    {"type": "multi_users_select", "action_id": "team", "initial_users": ["U1"]},
]


@pytest.mark.parametrize(
    ("target", "chosen", "held"),
    [
        ("more", "Edit", {"selected_option": option("e", "Edit")}),
        ("room", "Room 1", {"selected_option": option("r1", "Room 1")}),
        ("days", ["mon", "wed"], {"selected_options": [option("mon"), option("wed")]}),
        ("who", "U2", {"selected_user": "U2"}),
        ("team", ["U1", "U2"], {"selected_users": ["U1", "U2"]}),
        ("team", "U2", {"selected_users": ["U2"]}),
        ("team", None, {"selected_users": ["U1"]}),
    ],
)
def test_menus_are_chosen_from(
    slack: StandInSlack, target: str, chosen: Any, held: dict[str, Any]
) -> None:
    message = slack.workspace.add_message(
        Message("C1", "1.2", "U0BANZHANG", blocks=actions(*MENUS))
    )
    slack.deliver_by_socket()
    slack.socket.lose_next()  # only what leaves is of interest
    slack.press("U1", message, target, chosen=chosen)
    payload = slack.socket.deliveries[-1].envelope["payload"]
    assert held.items() <= payload["actions"][0].items()
    state = payload["state"]["values"]["row"]
    assert "more" not in state
    if target != "more":
        assert held.items() <= state[target].items()


def test_menus_on_the_screen(slack: StandInSlack) -> None:
    message = Message("C1", "1.2", "U0BANZHANG", blocks=actions(*MENUS))
    assert slack.on_screen(message) == "[⋯ Edit / x] [Room 1 ▾] [mon / tue / wed ▾] [Who? ▾]"


def test_choices_that_no_hand_can_make(slack: StandInSlack) -> None:
    message = Message("C1", "1.2", "U0BANZHANG", blocks=actions(*MENUS))
    for target, chosen, said in (
        ("more", None, "needs `chosen`"),
        ("days", ["mon", "tue", "wed"], "more than 2"),
        ("room", "r9", "no option 'r9'"),
    ):
        with pytest.raises(AssertionError, match=said):
            slack.request_for_press("U1", message, target, chosen=chosen)


@pytest.mark.parametrize(
    ("element", "said"),
    [
        ({**MENUS[0], "options": []}, "no less than 1 items"),
        ({**MENUS[0], "options": [option(str(n)) for n in range(6)]}, "no more than 5 items"),
        ({**MENUS[0], "options": [option("v" * 151)]}, "less than 151 characters"),
        ({**MENUS[0], "options": [option("v", "t" * 76)]}, "less than 76 characters"),
        ({**MENUS[0], "options": [{**option("v"), "url": "h" * 3001}]}, "less than 3001"),
        ({**MENUS[2], "options": [option(str(n)) for n in range(101)]}, "no more than 100 items"),
        ({**MENUS[2], "max_selected_items": 0}, "must be greater than 0"),
        ({**MENUS[2], "initial_options": [option("sun")]}, "not among the options"),
        ({**MENUS[1], "initial_option": option("r9")}, "not among the options"),
        ({**MENUS[1], "options": [option("v")]}, "only one of options and option_groups"),
        ({**MENUS[1], "option_groups": []}, "no less than 1 items"),
        (
            {
                **MENUS[1],
                "option_groups": [{"label": plain_text("l" * 76), "options": [option("v")]}],
            },
            "less than 76 characters",
        ),
        (
            {**MENUS[2], "options": [{"text": {"type": "mrkdwn", "text": "*v*"}, "value": "v"}]},
            "must be a valid enum value",
        ),
        (
            {**MENUS[2], "options": [{**option("v"), "description": plain_text("d" * 76)}]},
            "less than 76 characters",
        ),
        ({**MENUS[3], "placeholder": plain_text("p" * 151)}, "less than 151 characters"),
        ({**MENUS[3], "confirm": {"title": plain_text("t" * 101)}}, "less than 101 characters"),
    ],
)
def test_menus_that_slack_refuses(element: dict[str, Any], said: str) -> None:
    assert any(said in problem for problem in problems_in_message(actions(element)))
    assert problems_in_message(actions(*MENUS)) == []


def test_a_form_takes_no_buttons() -> None:
    for element in (MENUS[0], {"type": "button", "action_id": "b", "text": plain_text("b")}):
        block = {"type": "input", "label": plain_text("x"), "element": element}
        assert any("unsupported type" in problem for problem in problems_in_message([block]))
