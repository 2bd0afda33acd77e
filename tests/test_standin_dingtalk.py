"""The served stand-in, proven with the vendor's own client, and what it tells of what people do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.platforms import dingtalk_messages as messages
from tests.platforms.dingtalk import StandInDingtalk
from tests.platforms.dingtalk_api import ACCESS_TOKEN, SESSION
from tests.platforms.dingtalk_model import Group, Json, Org, shown
from tests.platforms.dingtalk_requests import signed_request
from tests.platforms.dingtalk_screen import looks
from tests.platforms.dingtalk_tenant import VARIABLES, text
from tests.platforms.dingtalk_webhooks import signed

Step = tuple[str, list[Any], Json]


@pytest.fixture
def dingtalk() -> Iterator[StandInDingtalk]:
    with StandInDingtalk() as dingtalk:
        dingtalk.org.add_member("lisi", "李四")
        dingtalk.org.add_member("zhangsan", "张三", admin=True)
        yield dingtalk


@pytest.fixture
def group(dingtalk: StandInDingtalk) -> Group:
    return dingtalk.org.add_group("老师群", ["lisi", "zhangsan"])


def step(name: str, *arguments: Any, **more: Any) -> Step:
    return name, list(arguments), more


def by_vendor(dingtalk: StandInDingtalk, *steps: Step, secret: str = "") -> list[Any]:
    """What the vendor's own client gives for each step."""
    org = dingtalk.org
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.platforms.dingtalk_api_client"),
            *(org.client_id, secret or org.client_secret),
        ],
        input=json.dumps(steps),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env=os.environ | {"DINGTALK_OPENAPI_ENDPOINT": dingtalk.api_url, "NO_PROXY": "*"},
    )
    given: list[Any] = json.loads(done.stdout)
    return given


# ---- the vendor's client


def test_the_vendors_client_gets_a_token_once(dingtalk: StandInDingtalk) -> None:
    first, second = by_vendor(dingtalk, step("token"), step("token"))
    assert first == second
    assert first
    assert len(dingtalk.api.calls_of(ACCESS_TOKEN)) == 1
    assert by_vendor(dingtalk, step("token"), secret="wrong") == [None]
    assert dingtalk.api.calls[-1].status == 400


def test_the_vendors_client_answers_by_session_webhooks(
    dingtalk: StandInDingtalk, group: Group
) -> None:
    org = dingtalk.org
    direct = messages.text_payload(org, "lisi", "签到")
    there = messages.text_payload(org, "lisi", "签到", group)
    gave = by_vendor(
        dingtalk,
        step("text", direct, "好的"),
        step("markdown", there, "签到", "# 好的\n@lisi"),
        step("text", there, "好的"),
    )
    assert gave == [{"errcode": 0, "errmsg": "ok"}] * 3
    assert org.last("lisi") == "好的"
    marked, plain = org.messages(group.id)
    assert (shown(marked), marked.at_users) == ("好的\n@李四", ("lisi",))
    # The client names the sender in `at` only.
    assert plain.at_users == ()
    assert [call.path for call in dingtalk.api.calls] == [SESSION] * 3


def test_the_vendors_client_sends_and_changes_cards(
    dingtalk: StandInDingtalk, group: Group
) -> None:
    org = dingtalk.org
    direct = messages.text_payload(org, "lisi", "签到")
    there = messages.text_payload(org, "lisi", "签到", group)
    by_key = {"cardUpdateOptions": {"updateCardDataByKey": True}}
    gave = by_vendor(
        dingtalk,
        step("send_card", direct, org.template_id, VARIABLES),
        step("send_card_async", direct, org.template_id, VARIABLES),
        step("deliver_card", there, org.template_id, VARIABLES, at_sender=True),
        step("send_card", there, org.template_id, VARIABLES, at_all=True),
        step("put_card", direct, 0, {"title": "已接单"}, **by_key),
        step("put_card", there, 2, {"title": "已接单"}),
        step("send_card", direct, "other.schema", VARIABLES),
        step("send_card", direct, org.template_id, {"title": 1}),
    )
    assert [one.out_track_id for one in org.timeline] == gave[:4]
    assert gave[6:] == ["", ""]
    first, second = org.messages("lisi")
    assert shown(first) == "已接单\n学生没到\n接单"
    assert shown(second) == "求助\n学生没到\n接单"
    third, fourth = org.messages(group.id)
    assert (shown(third), third.at_users) == ("已接单", ("lisi",))
    assert fourth.at_users == ("lisi", "zhangsan")


def test_the_vendors_client_reads_what_people_do(dingtalk: StandInDingtalk, group: Group) -> None:
    org = dingtalk.org
    said = messages.text_payload(org, "lisi", "派活 @张三", group, mentions=["zhangsan"])
    rich = messages.rich_payload(org, "lisi", ["派活", messages.PICTURE, "给他"], group)
    org.show("lisi", via="session", msgtype="text", body={"content": "求助"})
    press = messages.press_payload(org, "lisi", org.timeline[0], "x", anyway=True)
    read, mixed, pressed = by_vendor(
        dingtalk,
        step("read_message", said),
        step("read_message", rich),
        step("read_press", press),
    )
    assert read[0] == [" 派活 "]
    assert read[1] == [[org.bot_id, None], [org.encrypted_id("zhangsan"), "zhangsan"]]
    assert read[2] == said
    assert mixed[0] == ["@班长派活", "给他"]
    assert pressed["userId"] == "lisi"
    assert json.loads(pressed["content"]) == json.loads(press["content"])


# ---- a real server


def test_it_serves_both_halves_of_the_api(dingtalk: StandInDingtalk, group: Group) -> None:
    url, secret = dingtalk.robot_url(group)
    now = str(int(dingtalk.org.now() * 1000))
    with httpx.Client(trust_env=False) as client:
        asked = {"appKey": dingtalk.org.client_id, "appSecret": dingtalk.org.client_secret}
        token = client.post(f"{dingtalk.api_url}{ACCESS_TOKEN}", json=asked).json()
        assert token["expireIn"] == 7200
        session = dingtalk.org.session_url("lisi")
        assert session.startswith(dingtalk.api_url)
        assert client.post(session, json=text("一")).json()["errcode"] == 0
        query = {"timestamp": now, "sign": signed(secret, now)}
        robot = httpx.URL(url).copy_merge_params(query)
        assert client.post(robot, json=text("二")).json()["errcode"] == 0
        dingtalk.api.fail(SESSION, "drop_after")
        with pytest.raises(httpx.TransportError):
            client.post(session, json=text("三"))
    assert dingtalk.org.last("lisi") == "三"
    assert dingtalk.org.last(group.id) == "二"


def test_a_robot_in_http_mode_is_called_once(dingtalk: StandInDingtalk) -> None:
    with StandInDingtalk() as bot:  # it answers 404 to this path, and notes what came
        dingtalk.deliver_to(f"{bot.api_url}/dingtalk/robot/secret")
        assert dingtalk.say("lisi", "签到") == 404
        assert [call.path for call in bot.api.calls] == ["/dingtalk/robot/secret"]
        assert bot.api.calls[0].body["text"] == {"content": "签到"}
    assert dingtalk.say("lisi", "签到") == 0


def test_without_an_address_there_is_nobody_to_call(dingtalk: StandInDingtalk) -> None:
    with pytest.raises(AssertionError, match="deliver_to"):
        dingtalk.say("lisi", "签到")


def test_a_request_in_http_mode_is_signed_and_may_be_wrong() -> None:
    org = Org()
    org.add_member("lisi", "李四")
    payload = messages.text_payload(org, "lisi", "签到")
    request = signed_request(org, payload)
    stamp = request.headers["timestamp"]
    assert abs(int(stamp) / 1000 - org.now()) < 5
    assert request.headers["sign"] == signed(org.client_secret, stamp)
    assert json.loads(request.body) == payload
    wrong = signed_request(org, payload, timestamp=1, sign="x", raw_body=b"{", method="GET")
    assert (wrong.headers["timestamp"], wrong.headers["sign"]) == ("1", "x")
    assert (wrong.method, wrong.body) == ("GET", b"{")
    other = signed_request(org, payload, secret="x")
    assert other.headers["sign"] == signed("x", other.headers["timestamp"])


# ---- what people do


@pytest.fixture
def org() -> Org:
    org = Org()
    org.add_member("lisi", "李四")
    org.add_member("zhangsan", "张三", admin=True)
    return org


def test_a_text_in_the_direct_chat(org: Org) -> None:
    said = messages.text_payload(org, "lisi", "签到")
    assert said["conversationType"] == "1"
    assert said["text"] == {"content": "签到"}
    assert (said["senderStaffId"], said["senderNick"]) == ("lisi", "李四")
    assert said["senderCorpId"] == said["chatbotCorpId"] == org.corp_id
    assert said["sessionWebhookExpiredTime"] - said["createAt"] == 5_400_000
    assert said["senderId"].startswith("$:LWCP_v1:$")
    for name in ("atUsers", "isInAtList", "conversationTitle"):
        assert name not in said
    again = messages.text_payload(org, "lisi", "签到", msg_id=said["msgId"])
    assert again["msgId"] == said["msgId"]
    assert again["sessionWebhook"] != said["sessionWebhook"]
    assert messages.text_payload(org, "lisi", "签到")["msgId"] != said["msgId"]


def test_mentions_are_taken_out_of_a_groups_text(org: Org) -> None:
    group = org.add_group("老师群", ["lisi", "zhangsan"])
    words = "@班长 派活 @张三 明天"
    said = messages.text_payload(org, "lisi", words, group, mentions=["zhangsan"])
    assert said["conversationId"] == group.id
    assert (said["conversationType"], said["conversationTitle"]) == ("2", "老师群")
    assert said["text"] == {"content": " 派活  明天"}
    assert said["isInAtList"] is True
    bot, other = said["atUsers"]
    assert bot == {"dingtalkId": said["chatbotUserId"]}
    assert other == {"dingtalkId": org.encrypted_id("zhangsan"), "staffId": "zhangsan"}


def test_an_outsider_has_no_staff_id(org: Org) -> None:
    guest = org.add_outsider("王五")
    group = org.add_group("老师群", ["lisi", guest])
    said = messages.text_payload(org, guest, "签到", group)
    assert "senderStaffId" not in said
    assert said["senderCorpId"] != org.corp_id
    assert guest not in json.dumps(said)
    called = messages.text_payload(org, "lisi", "派活", group, mentions=[guest])
    assert called["atUsers"][1] == {"dingtalkId": org.encrypted_id(guest)}


def test_ids_are_encrypted_for_each_robot(org: Org) -> None:
    other = Org(client_id="dingother")
    assert org.encrypted_id("lisi") != other.encrypted_id("lisi")
    assert len({org.encrypted_id("lisi"), org.encrypted_id("zhangsan"), org.bot_id}) == 3


@pytest.mark.parametrize("quote", ["full", "older", "bare"])
def test_a_quoted_message_comes_along_in_several_ways(org: Org, quote: messages.Quote) -> None:
    sent = org.show("lisi", via="api", msgtype="sampleText", body={"content": "求助"})
    for quoted in ("学生没到", sent):
        said = messages.text_payload(org, "lisi", "好", quoted=quoted, quote=quote)
        assert said["text"]["isReplyMsg"] is True
        words = "求助" if quoted is sent else "学生没到"
        content = {"full": {"content": words}, "older": {"text": words}, "bare": None}[quote]
        assert said["text"]["repliedMsg"].get("content") == content


def test_a_quoted_card_is_a_tree_and_markdown_as_it_was_sent(org: Org) -> None:
    body = {"title": "t", "text": "**求助**"}
    marked = org.show("lisi", via="api", msgtype="sampleMarkdown", body=body)
    replied = messages.text_payload(org, "lisi", "好", quoted=marked)["text"]["repliedMsg"]
    assert (replied["msgType"], replied["content"]) == ("markdown", {"text": "**求助**"})
    assert replied["senderId"] == org.bot_id
    card = org.show("lisi", via="card", msgtype="card", body={})
    card.variables = {"title": "求助", "body": "学生没到"}
    replied = messages.text_payload(org, "lisi", "好", quoted=card)["text"]["repliedMsg"]
    assert replied["msgType"] == "interactiveCard"
    tree = replied["content"]["cardContent"]
    assert [one["value"] for one in tree["children"]] == ["求助", "学生没到"]


def test_other_kinds_of_messages(org: Org) -> None:
    group = org.add_group("老师群", ["lisi"])
    heard = messages.audio_payload(org, "lisi", "我到了")
    assert (heard["msgtype"], heard["content"]["recognition"]) == ("audio", "我到了")
    assert messages.picture_payload(org, "lisi")["msgtype"] == "picture"
    for msgtype in ("video", "file", "brandNew"):
        assert messages.other_payload(org, "lisi", msgtype)["msgtype"] == msgtype
    parts = ["派活", messages.PICTURE]
    own = messages.rich_payload(org, "lisi", parts, group, glued=False)["content"]["richText"]
    assert [one.get("text", one.get("type")) for one in own] == ["@班长", "派活", "picture"]
    glued = messages.rich_payload(org, "lisi", parts, group)["content"]["richText"]
    assert glued[0] == {"text": "@班长派活"}
    alone = messages.rich_payload(org, "lisi", parts)["content"]["richText"]
    assert alone[0] == {"text": "派活"}


def test_somebody_leaves(org: Org) -> None:
    group = org.add_group("老师群", ["lisi", "zhangsan"])
    told = messages.leave_payload(org, "lisi")
    assert told["userId"] == ["lisi"]
    headers = messages.event_headers(org, told)
    assert headers["eventType"] == "user_leave_org"
    assert headers["eventId"] == told["eventId"]
    org.remove_member("lisi")
    assert group.members == ["zhangsan"]
    # What was underway still comes.
    assert messages.text_payload(org, "lisi", "再见")["senderNick"] == "李四"
    assert messages.text_payload(org, "lisi", "再见", senderStaffId=messages.MISSING)


# ---- the screen


@pytest.mark.parametrize(
    ("markdown", "text", "marks"),
    [
        ("一\n二", "一 二", ()),
        ("一  \n二", "一\n二", ()),
        ("一\n\n二", "一\n二", ()),
        ("# 一\n二", "一\n二", ("heading",)),
        ("#一", "#一", ()),
        ("- 一\n- 二", "• 一\n• 二", ("list", "list")),
        ("1. 一  \n2. 二", "1. 一\n2. 二", ("list", "list")),
        ("> 一", "一", ("quote",)),
        ("**一** 二", "一 二", ("bold",)),
        ("*一* 二", "一 二", ("italic",)),
        ("a_b_c * d *", "a_b_c * d *", ()),
        ("[一](https://example.com/)", "一", ("link",)),
        ("![一](https://example.com/1.png)", "[一]", ("picture",)),
        ("<font color='red'>一</font>", "一", ("tag", "tag")),
        ("<div>\n一\n</div>", "一", ("tag",)),
        ("一 <https://example.com/>", "一 https://example.com/", ("link",)),
        ("```\n一\n```", "一", ("code",)),
        ("一\n\n---\n二", "一\n二", ("rule",)),
        ("1 < 2 > 1", "1 < 2 > 1", ()),
        ("&lt;b&gt;", "<b>", ()),
        ("\\*\\*一\\*\\* \\[二\\]\\(x\\)", "**一** [二](x)", ()),
        ("\\# 一\n二", "# 一 二", ()),
        ("`一`", "一", ("code",)),
    ],
)
def test_markdown_as_people_see_it(markdown: str, text: str, marks: tuple[str, ...]) -> None:
    seen = looks(markdown)
    assert (seen.text, seen.marks) == (text, marks)


def test_the_story_of_a_failed_wait(org: Org) -> None:
    with pytest.raises(AssertionError, match="nothing"):
        org.wait_for(lambda: org.last("lisi"), timeout=0.01)
    org.show("lisi", via="api", msgtype="sampleText", body={"content": "求助"})
    with pytest.raises(AssertionError, match="api -> lisi: 求助"):
        org.wait_for(lambda: org.last("zhangsan"), timeout=0.01)
    assert org.wait_for(lambda: org.last("lisi")) == "求助"
