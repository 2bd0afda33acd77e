"""The stand-in Slack answers slack_sdk's own clients as Slack would; Bolt's half is next door."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import aiohttp
import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.http_retry.builtin_interval_calculators import FixedValueRetryIntervalCalculator
from slack_sdk.signature import Clock, SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook import WebhookClient

from tests.platforms.slack import (
    DropAfter,
    DropBefore,
    Normal,
    RateLimited,
    ServerError,
    SlackError,
    Slow,
    StandInSlack,
    signed_headers,
)

VECTORS = Path(__file__).parent / "payloads" / "slack" / "signatures.json"


@pytest.fixture
def slack() -> Iterator[StandInSlack]:
    with StandInSlack() as standin:
        standin.add_user("U1", "wang")
        standin.add_user("U2", "小李", is_restricted=True, locale="zh-CN")
        standin.add_user("U3", "gone", deleted=True)
        standin.add_channel("C1", "teachers", ["U1", "U2"])
        standin.add_channel("G1", "office", ["U1"], private=True)
        yield standin


@pytest.fixture
def client(slack: StandInSlack) -> WebClient:
    return WebClient(slack.token, base_url=slack.api_url)


def async_client(slack: StandInSlack, **more: Any) -> AsyncWebClient:
    return AsyncWebClient(slack.token, base_url=slack.api_url, **more)


def section(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}, **more}


def button(label: str, action_id: str, value: str = "") -> dict[str, Any]:
    text = {"type": "plain_text", "text": label}
    return {"type": "button", "action_id": action_id, "text": text, "value": value}


def modal(**more: Any) -> dict[str, Any]:
    title = {"type": "plain_text", "text": "Ask"}
    return {"type": "modal", "title": title, "blocks": [section("Hello")], **more}


# ---- tokens and methods


def test_who_am_i(slack: StandInSlack, client: WebClient) -> None:
    found = client.auth_test()
    assert found["user_id"] == "U0BANZHANG"
    assert found["bot_id"] == "B0BANZHANG"
    assert "chat:write" in found.headers["x-oauth-scopes"]


def test_a_wrong_token_and_none(slack: StandInSlack) -> None:
    with pytest.raises(SlackApiError, match="invalid_auth"):
        WebClient("xoxb-other", base_url=slack.api_url).auth_test()
    with pytest.raises(SlackApiError, match="not_authed"):
        WebClient(base_url=slack.api_url).auth_test()
    slack.revoke_token()
    with pytest.raises(SlackApiError, match="invalid_auth"):
        WebClient(slack.token, base_url=slack.api_url).auth_test()


def test_what_it_cannot_do_it_says(client: WebClient) -> None:
    with pytest.raises(SlackApiError, match="unknown_method"):
        client.api_call("chat.sing")


# ---- messages


def test_a_message_stands_in_its_channel(slack: StandInSlack, client: WebClient) -> None:
    first = client.chat_postMessage(channel="C1", text="one")
    second = client.chat_postMessage(channel="C1", text="two", client_msg_id="k-1")
    assert [m.text for m in slack.messages("C1")] == ["one", "two"]
    assert first["ts"] < second["ts"]
    assert len(first["ts"].split(".")[1]) == 6
    assert slack.messages("C1")[1].client_msg_id == "k-1"
    assert slack.calls_of("chat.postMessage")[0].args["text"] == "one"


def test_a_person_as_channel_is_the_direct_message(slack: StandInSlack, client: WebClient) -> None:
    sent = client.chat_postMessage(channel="U1", text="hello")
    assert sent["channel"].startswith("D")
    assert client.conversations_open(users="U1")["channel"]["id"] == sent["channel"]
    assert slack.last("U1") == "hello"
    client.chat_update(channel=sent["channel"], ts=sent["ts"], text="bye")
    with pytest.raises(SlackApiError, match="channel_not_found"):
        client.chat_update(channel="U1", ts=sent["ts"], text="by the person's id")
    assert slack.last("U1") == "bye"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"channel": "C404", "text": "x"}, "channel_not_found"),
        ({"channel": "U404", "text": "x"}, "channel_not_found"),
        ({"channel": "C9", "text": "x"}, "not_in_channel"),
        ({"channel": "G9", "text": "x"}, "channel_not_found"),
        ({"channel": "C1", "text": "x" * 40_001}, "msg_too_long"),
        ({"channel": "C1", "text": "x", "blocks": [section("x")] * 51}, "invalid_blocks"),
        ({"channel": "C1", "text": "x", "blocks": [section("x" * 3001)]}, "invalid_blocks"),
        ({"channel": "C1", "text": "x", "blocks": [section("")]}, "invalid_blocks"),
        ({"channel": "C1", "text": "x", "blocks": [{"type": "poem"}]}, "invalid_blocks"),
        ({"channel": "C1", "text": "x", "blocks": "[{"}, "invalid_blocks_format"),
        ({"channel": "C1", "text": "x", "blocks": [section("x" * 2900)] * 5}, "too_long"),
    ],
)
def test_messages_that_slack_refuses(
    slack: StandInSlack, client: WebClient, arguments: dict[str, Any], code: str
) -> None:
    slack.add_channel("C9", "elsewhere", ["U1"], bot=False)
    slack.add_channel("G9", "secret", ["U1"], private=True, bot=False)
    with pytest.raises(SlackApiError, match=code):
        client.chat_postMessage(**arguments)
    assert slack.all_messages() == []


def test_a_message_says_something(slack: StandInSlack, client: WebClient) -> None:
    for silent in ({}, {"text": ""}, {"text": " ", "blocks": []}):
        with pytest.raises(SlackApiError, match="no_text"):
            # chat_postMessage itself would only warn.
            client.api_call("chat.postMessage", json={"channel": "C1", **silent})
    assert slack.all_messages() == []


@pytest.mark.parametrize(
    ("element", "words"),
    [
        (button("x" * 76, "a"), "must be less than 76 characters [json-pointer:/blocks/0/elements"),
        (button("x", "a" * 256), "must be less than 256 characters"),
        (button("x", "a", "v" * 2001), "must be less than 2001 characters"),
        ({**button("x", "a"), "style": "loud"}, "must be a valid enum value"),
        ({"type": "checkboxes", "action_id": "a", "options": []}, "no less than 1 items"),
        ({"type": "lever"}, "unsupported type"),
    ],
)
def test_elements_that_slack_refuses(
    client: WebClient, element: dict[str, Any], words: str
) -> None:
    with pytest.raises(SlackApiError) as caught:
        client.chat_postMessage(
            channel="C1", text="x", blocks=[{"type": "actions", "elements": [element]}]
        )
    assert caught.value.response["error"] == "invalid_blocks"
    assert words in caught.value.response["response_metadata"]["messages"][0]


def test_a_row_holds_25_buttons_with_names_of_their_own(client: WebClient) -> None:
    for names, code in ((range(26), "no more than 25"), ([1, 1], "already exists")):
        row = {"type": "actions", "elements": [button("x", f"a{n}") for n in names]}
        with pytest.raises(SlackApiError, match=code):
            client.chat_postMessage(channel="C1", text="x", blocks=[row])


def test_an_update_with_text_alone_takes_the_blocks_away(
    slack: StandInSlack, client: WebClient
) -> None:
    sent = client.chat_postMessage(channel="C1", text="x", blocks=[section("open")])
    assert slack.messages("C1")[0].blocks
    client.chat_update(channel="C1", ts=sent["ts"], text="closed")
    assert slack.last("C1") == "closed"
    assert slack.messages("C1")[0].blocks == []


def test_only_own_messages_are_changed(slack: StandInSlack, client: WebClient) -> None:
    slack.scopes.add("reactions:write")
    with pytest.raises(AssertionError, match="does not know the app"):
        slack.say("U1", "C1", "mine")
    theirs = slack.messages("C1")[0].ts
    with pytest.raises(SlackApiError, match="cant_update_message"):
        client.chat_update(channel="C1", ts=theirs, text="x")
    with pytest.raises(SlackApiError, match="cant_delete_message"):
        client.chat_delete(channel="C1", ts=theirs)
    with pytest.raises(SlackApiError, match="message_not_found"):
        client.chat_update(channel="C1", ts="1531420618.000200", text="x")
    client.reactions_add(channel="C1", timestamp=theirs, name="eyes")
    with pytest.raises(SlackApiError, match="already_reacted"):
        client.reactions_add(channel="C1", timestamp=theirs, name="eyes")


def test_a_deleted_message_is_gone(slack: StandInSlack, client: WebClient) -> None:
    sent = client.chat_postMessage(channel="C1", text="oops")
    client.chat_delete(channel="C1", ts=sent["ts"])
    assert slack.messages("C1") == []
    with pytest.raises(SlackApiError, match="message_not_found"):
        client.chat_delete(channel="C1", ts=sent["ts"])


def test_ephemeral_is_seen_by_one(slack: StandInSlack, client: WebClient) -> None:
    sent = client.chat_postEphemeral(channel="C1", user="U1", text="only you")
    assert slack.reads("U1") == ["only you"]
    assert slack.reads("U2") == []
    assert [m.ephemeral_to for m in slack.ephemerals] == ["U1"]
    with pytest.raises(SlackApiError, match="message_not_found"):
        client.chat_update(channel="C1", ts=sent["message_ts"], text="x")
    with pytest.raises(SlackApiError, match="user_not_in_channel"):
        client.chat_postEphemeral(channel="G1", user="U2", text="x")


def test_the_key_of_a_message_counts_only_when_asked(
    slack: StandInSlack, client: WebClient
) -> None:
    for _ in range(2):
        client.chat_postMessage(channel="C1", text="x", client_msg_id="k")
    assert len(slack.messages("C1")) == 2
    slack.api.dedupe_client_msg_id = True
    client.chat_postMessage(channel="C1", text="x", client_msg_id="k")
    assert len(slack.messages("C1")) == 2


# ---- people, places, files


def test_people(client: WebClient) -> None:
    found = client.users_info(user="U2", include_locale=True)["user"]
    assert (found["name"], found["tz"], found["locale"]) == ("小李", "Asia/Shanghai", "zh-CN")
    assert found["is_restricted"]
    assert "locale" not in client.users_info(user="U3")["user"]
    with pytest.raises(SlackApiError, match="user_not_found"):
        client.users_info(user="U404")
    names = [user["name"] for page in client.users_list(limit=2) for user in page["members"]]
    assert names == ["banzhang", "wang", "小李", "gone"]


def test_places(client: WebClient) -> None:
    assert client.conversations_info(channel="C1")["channel"]["name"] == "teachers"
    assert client.conversations_info(channel="G1")["channel"]["is_private"]
    assert client.conversations_members(channel="C1")["members"] == ["U1", "U2", "U0BANZHANG"]
    direct = client.conversations_open(users=["U2"], return_im=True)["channel"]
    assert (direct["is_im"], direct["user"]) == (True, "U2")
    for users, code in (("U404", "user_not_found"), ("U3", "user_disabled")):
        with pytest.raises(SlackApiError, match=code):
            client.conversations_open(users=users)


def test_a_file_takes_three_steps(slack: StandInSlack, client: WebClient) -> None:
    client.files_upload_v2(channel="C1", filename="pay.csv", content="a,b", title="November")
    (file,) = slack.workspace.files.values()
    assert file["content"] == b"a,b"
    assert slack.last("C1") == "November"


# ---- forms


def test_a_form_opens_once_and_within_three_seconds(slack: StandInSlack, client: WebClient) -> None:
    ticket = slack.workspace.issue_trigger("U1")
    view = client.views_open(trigger_id=ticket, view=modal(callback_id="ask"))["view"]
    assert slack.open_view("U1").id == view["id"]
    with pytest.raises(SlackApiError, match="exchanged_trigger_id"):
        client.views_open(trigger_id=ticket, view=modal())
    late = slack.workspace.issue_trigger("U1")
    slack.advance(3.1)
    with pytest.raises(SlackApiError, match="expired_trigger_id"):
        client.views_open(trigger_id=late, view=modal())
    with pytest.raises(SlackApiError, match="invalid_trigger_id"):
        client.views_open(trigger_id="1.2.3", view=modal())


def test_a_form_is_replaced_by_those_who_saw_its_newest(
    slack: StandInSlack, client: WebClient
) -> None:
    ticket = slack.workspace.issue_trigger("U1")
    old = client.views_open(trigger_id=ticket, view=modal())["view"]
    new = client.views_update(view_id=old["id"], hash=old["hash"], view=modal())["view"]
    assert new["hash"] != old["hash"]
    with pytest.raises(SlackApiError, match="hash_conflict"):
        client.views_update(view_id=old["id"], hash=old["hash"], view=modal())
    with pytest.raises(SlackApiError, match="not_found"):
        client.views_update(view_id="V404", view=modal())


@pytest.mark.parametrize(
    "broken",
    [
        {"title": {"type": "plain_text", "text": "x" * 25}},
        {"private_metadata": "x" * 3001},
        {"blocks": [section("x")] * 101},
        {"submit": {"type": "plain_text", "text": "x" * 25}},
        {"blocks": [{"type": "input", "label": {"type": "plain_text", "text": "x"}}]},
        {"type": "home"},
    ],
)
def test_forms_that_slack_refuses(
    slack: StandInSlack, client: WebClient, broken: dict[str, Any]
) -> None:
    with pytest.raises(SlackApiError, match="invalid_arguments"):
        client.views_open(trigger_id=slack.workspace.issue_trigger("U1"), view=modal(**broken))


def test_the_home_tab(slack: StandInSlack, client: WebClient) -> None:
    for text in ("Hours: 3", "Hours: 4"):
        client.views_publish(user_id="U1", view={"type": "home", "blocks": [section(text)]})
    home = slack.home("U1")
    assert home is not None
    assert slack.plain(home) == "Hours: 4"
    assert slack.home("U2") is None


# ---- response_url


def test_a_response_url_works_five_times(slack: StandInSlack) -> None:
    ticket = slack.workspace.issue_response_url("commands", "U1", "C1")
    hook = WebhookClient(slack.origin + ticket.path)
    assert hook.send(text="for all", response_type="in_channel").body == "ok"
    for number in range(4):
        assert hook.send(text=f"for you {number}").status_code == 200
    assert hook.send(text="once more").status_code == 404
    assert slack.last("C1") == "for all"
    assert len(slack.ephemerals) == 4


def test_a_response_url_dies_after_half_an_hour(slack: StandInSlack) -> None:
    ticket = slack.workspace.issue_response_url("commands", "U1", "C1")
    slack.advance(30 * 60 + 1)
    assert "expired_url" in WebhookClient(slack.origin + ticket.path).send(text="late").body


def test_a_response_url_replaces_and_deletes(slack: StandInSlack, client: WebClient) -> None:
    client.chat_postMessage(channel="C1", text="approve?")
    original = slack.last_message("C1")
    ticket = slack.workspace.issue_response_url("actions", "U1", "C1", original)
    hook = WebhookClient(slack.origin + ticket.path)
    hook.send(text="approved", replace_original=True)
    assert slack.last("C1") == "approved"
    hook.send(delete_original=True)
    assert slack.messages("C1") == []


# ---- what goes wrong


async def test_rate_limited_with_the_seconds_to_wait(
    slack: StandInSlack, monkeypatch: pytest.MonkeyPatch
) -> None:
    slack.faults.script("chat.postMessage", [RateLimited(30)])
    with pytest.raises(SlackApiError, match="ratelimited") as caught:
        await async_client(slack).chat_postMessage(channel="C1", text="x")
    assert caught.value.response.status_code == 429
    assert caught.value.response.headers["Retry-After"] == "30"
    # The SDK's handler waits for Retry-After and a random part of a second; here both are nothing.
    monkeypatch.setattr("random.random", lambda: 0.0)
    slack.faults.script("chat.postMessage", [RateLimited(0), Normal()])
    patient = async_client(slack, retry_handlers=[AsyncRateLimitErrorRetryHandler()])
    await patient.chat_postMessage(channel="C1", text="y")
    assert [m.text for m in slack.messages("C1")] == ["y"]


async def test_a_proxy_answers_in_plain_text(slack: StandInSlack) -> None:
    slack.faults.script("chat.postMessage", [ServerError(503, "upstream down")])
    with pytest.raises(SlackApiError) as caught:
        await async_client(slack).chat_postMessage(channel="C1", text="x")
    assert caught.value.response.status_code == 503
    assert caught.value.response.data == "upstream down"
    assert slack.messages("C1") == []


async def test_the_default_retry_doubles_a_message(slack: StandInSlack) -> None:
    slack.faults.script("chat.postMessage", [DropAfter(), Normal()])
    usual = async_client(slack)
    for handler in usual.retry_handlers:
        handler.interval_calculator = FixedValueRetryIntervalCalculator(0)  # spares a second
    await usual.chat_postMessage(channel="C1", text="twice")
    assert [m.text for m in slack.messages("C1")] == ["twice", "twice"]


async def test_without_retries_a_lost_answer_is_an_error(slack: StandInSlack) -> None:
    slack.faults.script("chat.postMessage", [DropAfter(), DropBefore()])
    careful = async_client(slack, retry_handlers=[])
    for text in ("taken", "not taken"):
        with pytest.raises(aiohttp.ClientConnectionError):
            await careful.chat_postMessage(channel="C1", text=text)
    assert [m.text for m in slack.messages("C1")] == ["taken"]
    assert [c.outcome for c in slack.calls] == ["ok, DropAfter", "DropBefore"]


async def test_a_slow_answer_times_out_and_the_message_stands(slack: StandInSlack) -> None:
    slack.faults.script("chat.postMessage", [Slow(30)])
    timeout = aiohttp.ClientTimeout(total=0.2)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        with pytest.raises(TimeoutError):
            await async_client(slack, session=session).chat_postMessage(channel="C1", text="x")
    assert slack.last("C1") == "x"


def test_faults_by_channel_and_by_rhythm(slack: StandInSlack, client: WebClient) -> None:
    slack.faults.script("chat.postMessage", [SlackError("is_archived")], channel="G1")
    client.chat_postMessage(channel="C1", text="a")
    with pytest.raises(SlackApiError, match="is_archived"):
        client.chat_postMessage(channel="G1", text="b")
    slack.faults.every(2, SlackError("fatal_error"), "chat.postMessage")
    client.chat_postMessage(channel="C1", text="c")
    with pytest.raises(SlackApiError, match="fatal_error"):
        client.chat_postMessage(channel="C1", text="d")
    slack.faults.clear()
    client.chat_postMessage(channel="C1", text="e")
    assert [m.text for m in slack.all_messages()] == ["a", "c", "e"]


def test_one_message_a_second_and_channel(slack: StandInSlack, client: WebClient) -> None:
    slack.enforce_rate_limits = True
    for text in ("one", "two"):
        client.chat_postMessage(channel="C1", text=text)
    with pytest.raises(SlackApiError) as caught:
        client.chat_postMessage(channel="C1", text="three")
    assert caught.value.response.headers["retry-after"] == "1"
    client.chat_postMessage(channel="G1", text="other channels are free")
    slack.advance(1)
    client.chat_postMessage(channel="C1", text="three")


def test_what_is_not_json(slack: StandInSlack) -> None:
    for body in (b"{", b"[1]"):
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {slack.token}"}
        request = urllib.request.Request(slack.api_url + "chat.postMessage", body, headers)
        with urllib.request.urlopen(request, timeout=5) as answer:
            assert json.load(answer)["error"] == "invalid_json"


# ---- the server itself


def test_other_processes_reach_it(slack: StandInSlack) -> None:
    script = """if True:
        import os
        from slack_sdk import WebClient
        client = WebClient(os.environ["SLACK_BOT_TOKEN"], base_url=os.environ["SLACK_API_URL"])
        client.chat_postMessage(channel="C1", text="from next door")
    """
    environment = {**os.environ, **slack.environment()}
    subprocess.run([sys.executable, "-c", script], env=environment, timeout=30, check=True)
    assert slack.last("C1") == "from next door"


def test_it_leaves_nothing_behind() -> None:
    before = threading.active_count()
    with StandInSlack() as standin:
        assert standin.origin.startswith("http://127.0.0.1:")
        address = standin.api_url
    assert threading.active_count() == before
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(address + "auth.test", timeout=2)


def test_many_threads_at_once(slack: StandInSlack, client: WebClient) -> None:
    def post(number: int) -> None:
        for part in range(10):
            client.chat_postMessage(channel="C1", text=f"{number}.{part}")

    threads = [threading.Thread(target=post, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    slack.wait_for(lambda: len(slack.messages("C1")) == 40, timeout=10)
    for thread in threads:
        thread.join(10)
    stamps = [m.ts for m in slack.messages("C1")]
    assert len(set(stamps)) == 40
    assert stamps == sorted(stamps)


def test_waiting_has_an_end_and_tells_the_story(slack: StandInSlack, client: WebClient) -> None:
    client.chat_postMessage(channel="C1", text="all there is")
    with pytest.raises(AssertionError, match="all there is"):
        slack.wait_for(lambda: slack.messages("G1"), timeout=0.05)


async def test_it_serves_a_test_with_a_loop_of_its_own(slack: StandInSlack) -> None:
    calls = (async_client(slack).chat_postMessage(channel="C1", text=str(n)) for n in range(5))
    await asyncio.gather(*calls)
    assert sorted(m.text for m in slack.messages("C1")) == ["0", "1", "2", "3", "4"]


def test_an_unknown_response_url(slack: StandInSlack) -> None:
    address = f"{slack.origin}/commands/T1/2/3"
    with pytest.raises(HTTPError) as caught:
        urllib.request.urlopen(address, data=b"{}", timeout=5)
    with caught.value as answer:
        assert answer.code == 404


# ---- signatures


def _vectors() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(VECTORS.read_text("utf-8"))["vectors"]
    return found


class _FrozenClock(Clock):
    def __init__(self, now: float) -> None:
        self._now = now

    def now(self) -> float:
        return self._now


@pytest.mark.parametrize("vector", _vectors(), ids=lambda vector: str(vector["name"]))
def test_published_signatures(vector: dict[str, Any]) -> None:
    body, secret, stamp = vector["body"], vector["signing_secret"], vector["timestamp"]
    ours = signed_headers(body, secret, stamp)["X-Slack-Signature"]
    if vector["expect_valid"]:
        assert ours == vector["signature"]
    verifier = SignatureVerifier(secret, _FrozenClock(vector["now"]))
    if isinstance(vector["slack_sdk_3_47_0"], str):  # where a server must say 401, the SDK raises
        with pytest.raises(ValueError, match="invalid literal"):
            verifier.is_valid(body, stamp, ours)
        return
    published = vector["signature"] or ""
    assert verifier.is_valid(body, stamp, published) is vector["expect_valid"]
    # Our own signature passes wherever the timestamp is fresh: age alone decides.
    fresh = abs(vector["now"] - int(stamp)) <= 300
    assert verifier.is_valid(body, stamp, ours) is fresh
