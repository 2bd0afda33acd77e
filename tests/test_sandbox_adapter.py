"""The simulated platform: what each profile lets the bot hear, and what people see of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.contract import Adapter, DeliveryFailed, Rejected
from adapters.plain import cut
from adapters.sandbox.adapter import SandboxAdapter
from adapters.sandbox.decode import LONGEST, hear
from adapters.sandbox.world import (
    DINGTALK_LIKE,
    GROUP_ID,
    SLACK_LIKE,
    WECOM_LIKE,
    Content,
    Profile,
    Transcript,
)
from bot.messages import (
    Address,
    Answer,
    Button,
    Card,
    CardField,
    Event,
    Form,
    FormField,
    Mention,
    Outgoing,
    Reply,
    lines,
    text,
)
from bot.words import reader_for
from tests.clock import MORNING, StillClock

ZONE = "Asia/Shanghai"
QUERY = Card(
    title=text("said", words="Q1 <b>帖子</b>"),
    body=(text("said", words="请在两小时内回复"),),
    fields=(CardField(label=text("said", words="提问"), value=text("said", words="访客")),),
    buttons=(
        Button(label=text("said", words="认领"), command="retry", arguments={"query": "Q1"}),
        Button(label=text("said", words="回复"), command="retry", arguments={"query": "Q1"}),
    ),
)


class Bot:
    """Hears, and replies what it was told to."""

    def __init__(self) -> None:
        self.heard: list[Event] = []
        self.reply: Callable[[Event], Reply | None] = lambda event: says(f"听到：{event.text}")

    async def __call__(self, event: Event) -> Reply | None:
        self.heard.append(event)
        return self.reply(event) if event.addressed else None


def says(words: str, *, private: bool = False) -> Reply:
    answer = Answer(words=text("said", words=words), private=private)
    return Reply(answer=answer, locale="zh_CN", zone=ZONE, at=MORNING)


def asks() -> Reply:
    form = Form(
        command="reply",
        title=text("said", words="回复 Q1"),
        arguments={"query": "Q1"},
        fields=(FormField(name="words", label=text("said", words="内容"), kind="paragraph"),),
    )
    return Reply(form=form, locale="zh_CN", zone=ZONE, at=MORNING)


@pytest.fixture
def bot() -> Bot:
    return Bot()


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def sandbox(profile: Profile, clock: StillClock) -> SandboxAdapter:
    return SandboxAdapter(clock.now, reader_for, profile)


def slack_like() -> SandboxAdapter:
    return SandboxAdapter(StillClock().now, reader_for)


def outgoing(
    to: str = GROUP_ID, *, card: Card | None = None, said: str = "", edits: str = ""
) -> Outgoing:
    return Outgoing(
        address=Address(platform="sandbox", kind="group" if to == GROUP_ID else "person", id=to),
        words=text("said", words=said) if said else None,
        card=card,
        edits_handle=edits or None,
        message_id=1,
    )


READER = reader_for("zh_CN", ZONE, MORNING)


# --- hearing --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("profile", "typed", "heard", "mentions", "addressed"),
    [
        (SLACK_LIKE, "@班长 签到", "签到", [], True),
        (SLACK_LIKE, "@班长签到", "签到", [], True),
        (SLACK_LIKE, "签到 @Banzhang", "签到", [], True),
        (SLACK_LIKE, "大家早", "大家早", [], False),
        (SLACK_LIKE, "/checkin 到了", "checkin 到了", [], True),
        (SLACK_LIKE, "/banzhang staff list", "staff list", [], True),
        (SLACK_LIKE, "/BANZHANG", "", [], True),
        (
            SLACK_LIKE,
            "@班长 人员 添加 @小王 @li",
            "人员 添加 \ue0000\ue001 \ue0001\ue001",
            ["wang", "li"],
            True,
        ),
        (SLACK_LIKE, "@班长 派单@小王，整理", "派单\ue0000\ue001，整理", ["wang"], True),
        (SLACK_LIKE, "@班长 @小王@小林 来", "\ue0000\ue001\ue0001\ue001 来", ["wang", "lin"], True),
        (SLACK_LIKE, "@班长 @小王子 来", "@小王子 来", [], True),
        (SLACK_LIKE, "@班长 写信到 a@wang.cn", "写信到 a@wang.cn", [], True),
        (WECOM_LIKE, "@班长 人员 添加 @小王", "人员 添加 @小王", [], True),
        (WECOM_LIKE, "@班长 /checkin", "/checkin", [], True),
        (DINGTALK_LIKE, "@班长 人员 添加 @李组长 组长", "人员 添加 组长", ["li"], True),
        (DINGTALK_LIKE, "@小林 人员 添加 @小王 @班长", "人员 添加", ["lin", "wang"], True),
    ],
)
def test_what_is_heard_in_the_group(
    profile: Profile, typed: str, heard: str, mentions: list[str], addressed: bool
) -> None:
    found = hear(typed, profile, direct=False, locale=None)
    assert found is not None
    assert (found.text, [one.id for one in found.mentions]) == (heard, mentions)
    assert found.addressed is addressed


@pytest.mark.parametrize("profile", [WECOM_LIKE, DINGTALK_LIKE], ids=lambda one: one.name)
async def test_group_talk_that_does_not_mention_the_bot_is_not_heard(profile: Profile) -> None:
    sandbox, bot = SandboxAdapter(StillClock().now, reader_for, profile), Bot()
    for said in ("签到", "@小王 你好", "/checkin"):
        assert await sandbox.say("wang", GROUP_ID, said, bot) is None
    assert bot.heard == []
    assert [one.heard for one in sandbox.visible("zhou", GROUP_ID)] == [False, False, False]


async def test_slack_tells_the_bot_of_talk_that_is_not_for_it() -> None:
    sandbox, bot = slack_like(), Bot()
    assert await sandbox.say("wang", GROUP_ID, "大家早", bot) is None
    assert [(one.addressed, one.can_open_form) for one in bot.heard] == [(False, False)]


async def test_in_a_direct_chat_the_text_is_the_command(sandbox: SandboxAdapter, bot: Bot) -> None:
    answer = await sandbox.say("wang", "wang", "签到", bot)
    assert answer is not None
    assert (bot.heard[0].text, bot.heard[0].chat.kind, bot.heard[0].chat.id) == (
        "签到",
        "direct",
        "wang",
    )
    assert bot.heard[0].can_open_form is sandbox.capabilities.forms
    assert answer.plain == "听到：签到"
    assert sandbox.visible("zhou", "wang") == ()


async def test_nobody_can_forge_a_mention_or_send_control_characters(
    sandbox: SandboxAdapter, bot: Bot
) -> None:
    await sandbox.say("guest", "guest", "咨询 \ue0000\ue001\x00\x1b[31m 你好", bot)
    assert bot.heard[0].text == "咨询 0[31m 你好"
    assert bot.heard[0].mentions == ()


@pytest.mark.parametrize(
    ("who", "chat", "said", "status"),
    [
        ("nobody", GROUP_ID, "签到", 404),
        ("wang", "zhou", "签到", 404),
        ("wang", "elsewhere", "签到", 404),
        ("wang", "wang", " \n\x00 ", 400),
        ("wang", "wang", "长" * (LONGEST + 1), 413),
    ],
)
async def test_what_the_platform_refuses(
    who: str, chat: str, said: str, status: int, bot: Bot
) -> None:
    sandbox = slack_like()
    with pytest.raises(Rejected) as rejected:
        await sandbox.say(who, chat, said, bot)
    assert rejected.value.status == status
    assert (bot.heard, sandbox.transcript.last_entry) == ([], 0)


async def test_the_same_key_is_the_same_event(
    sandbox: SandboxAdapter, bot: Bot, clock: StillClock
) -> None:
    first = await sandbox.say("wang", "wang", "签到", bot, key="m1")
    clock.push_to(MORNING + timedelta(minutes=1))
    again = await sandbox.say("wang", "wang", "签到", bot, key="m1")
    assert first == again
    assert [(one.key, one.at) for one in bot.heard] == [("m1", MORNING)] * 2
    assert bot.heard[1].received_at == MORNING + timedelta(minutes=1)
    assert [one.plain for one in sandbox.visible("wang", "wang")] == ["签到", "听到：签到"]
    bot.reply = lambda event: says("别的")
    assert (await sandbox.say("wang", "wang", "签到", bot, key="m1")) != first


async def test_every_message_and_press_has_a_key_of_its_own(bot: Bot) -> None:
    sandbox = slack_like()
    await sandbox.send(outgoing(card=QUERY), READER)
    for _ in range(2):
        await sandbox.say("wang", GROUP_ID, "@班长 在吗", bot)
        await sandbox.press("wang", 1, 0, bot)
    assert len({one.key for one in bot.heard}) == 4


async def test_names_follow_the_language_that_the_page_speaks(bot: Bot) -> None:
    sandbox = slack_like()
    await sandbox.say("wang", GROUP_ID, "@Banzhang staff add @Li lead", bot, locale="en")
    assert (bot.heard[0].user.name, bot.heard[0].user.locale) == ("Wang", "en")
    assert bot.heard[0].mentions[0].name == "Li"
    assert bot.heard[0].chat.name == "Team group"


# --- answers --------------------------------------------------------------------------------------


async def test_a_slash_command_and_its_private_answer_are_seen_by_one(bot: Bot) -> None:
    sandbox = slack_like()
    bot.reply = lambda event: says("只给你", private=True)
    answer = await sandbox.say("wang", GROUP_ID, "/checkin", bot)
    assert answer is not None
    assert answer.audience == "wang"
    assert [one.plain for one in sandbox.visible("wang", GROUP_ID)] == ["/checkin", "只给你"]
    assert sandbox.visible("li", GROUP_ID) == ()


@pytest.mark.parametrize("profile", [WECOM_LIKE, DINGTALK_LIKE], ids=lambda one: one.name)
async def test_a_private_answer_never_reaches_the_group(profile: Profile) -> None:
    sandbox, bot = SandboxAdapter(StillClock().now, reader_for, profile), Bot()
    bot.reply = lambda event: says("只给你", private=True)
    await sandbox.say("wang", GROUP_ID, "@班长 我", bot)
    assert [one.plain for one in sandbox.visible("wang", "wang")] == ["只给你"]
    assert [one.plain for one in sandbox.visible("li", GROUP_ID)] == ["@班长 我"]


@pytest.mark.parametrize(
    ("profile", "to", "labels", "hint"),
    [
        (SLACK_LIKE, GROUP_ID, ["认领", "回复"], None),
        (SLACK_LIKE, "wang", ["认领", "回复"], None),
        (WECOM_LIKE, GROUP_ID, [], "@班长 发送：重发 Q1 · 重发 Q1"),
        (WECOM_LIKE, "wang", ["认领", "回复"], None),
        (DINGTALK_LIKE, GROUP_ID, [], "@班长 发送：重发 Q1 · 重发 Q1"),
        (DINGTALK_LIKE, "wang", [], "发送：重发 Q1 · 重发 Q1"),
    ],
)
async def test_a_card_and_what_stands_for_its_buttons(
    profile: Profile, to: str, labels: list[str], hint: str | None
) -> None:
    sandbox = SandboxAdapter(StillClock().now, reader_for, profile)
    await sandbox.send(outgoing(to, card=QUERY), READER)
    [entry] = sandbox.visible("wang", to)
    assert [one.label for one in entry.buttons] == labels
    shown = ["Q1 <b>帖子</b>", "请在两小时内回复", "提问：访客"]
    assert entry.plain.split("\n") == shown + ([hint] if hint else [])


async def test_a_mention_shows_its_at(sandbox: SandboxAdapter) -> None:
    person = Mention(person_id=7, name="小王", user_id="wang")
    words = lines(text("person", person=person), text("said", words="快到时间了"), separator=" ")
    message = outgoing(said="x").model_copy(update={"words": words})
    await sandbox.send(message, READER)
    assert sandbox.visible("wang", GROUP_ID)[0].plain == "@小王 快到时间了"


async def test_pressing_gives_the_command(bot: Bot) -> None:
    sandbox = slack_like()
    await sandbox.send(outgoing(card=QUERY), READER)
    await sandbox.press("wang", 1, 1, bot, key="p1")
    event = bot.heard[0]
    assert (event.kind, event.command, event.arguments) == ("button", "retry", {"query": "Q1"})
    assert (event.key, event.chat.kind, event.can_open_form) == ("p1", "group", True)


@pytest.mark.parametrize(("entry", "button"), [(1, 2), (1, -1), (2, 0), (0, 0), (3, 0)])
async def test_a_button_that_one_does_not_see_cannot_be_pressed(
    entry: int, button: int, bot: Bot
) -> None:
    sandbox = slack_like()
    await sandbox.send(outgoing(card=QUERY), READER)
    await sandbox.send(outgoing("zhou", card=QUERY), READER)
    with pytest.raises(Rejected, match=r"button|no message"):
        await sandbox.press("wang", entry, button, bot)
    assert bot.heard == []


async def test_a_form_is_filled_refused_and_taken(bot: Bot) -> None:
    sandbox = slack_like()
    bot.reply = lambda event: asks()
    assert await sandbox.say("wang", GROUP_ID, "/reply Q1", bot) is None
    form = sandbox.open_form("wang")
    assert form is not None
    assert (form.title, form.fields[0].label, form.chat) == ("回复 Q1", "内容", GROUP_ID)

    refusal = Reply(errors={"words": text("usage.empty")}, locale="zh_CN", zone=ZONE, at=MORNING)
    bot.reply = lambda event: refusal
    errors = await sandbox.submit("wang", form.command, form.arguments, {"words": "好"}, bot)
    assert errors == {"words": READER.plain(text("usage.empty"))}
    again = sandbox.open_form("wang")
    assert again is not None
    assert (again.values, again.errors) == ({"words": "好"}, errors)

    bot.reply = lambda event: says("已回复")
    assert await sandbox.submit("wang", form.command, form.arguments, {"words": "好"}, bot) is None
    assert (bot.heard[-1].kind, bot.heard[-1].command) == ("form", "reply")
    assert bot.heard[-1].arguments == {"query": "Q1", "words": "好"}
    assert bot.heard[-1].chat.id == GROUP_ID
    assert sandbox.open_form("wang") is None
    assert sandbox.visible("li", GROUP_ID)[-1].plain == "已回复"


async def test_a_form_can_be_put_away_and_goes_where_there_are_none(bot: Bot) -> None:
    sandbox = slack_like()
    bot.reply = lambda event: asks()
    await sandbox.say("wang", "wang", "回复 Q1", bot)
    sandbox.close_form("wang")
    assert sandbox.open_form("wang") is None
    await sandbox.say("wang", "wang", "回复 Q1", bot)
    sandbox.profile = WECOM_LIKE
    assert sandbox.open_form("wang") is None


# --- sending --------------------------------------------------------------------------------------


async def test_an_edit_changes_the_message_or_follows_it(sandbox: SandboxAdapter) -> None:
    handle = await sandbox.send(outgoing(card=QUERY), READER)
    changed = outgoing(card=QUERY, said="Q1 由小王认领", edits=handle)
    await sandbox.send(changed, READER)
    shown = sandbox.visible("li", GROUP_ID)
    if sandbox.capabilities.edits_in_groups:
        assert len(shown) == 1
        assert (shown[0].edited, len(shown[0].versions)) == (True, 2)
        assert shown[0].plain.startswith("Q1 <b>帖子</b>")
    else:
        assert [one.edited for one in shown] == [False, False]
        assert shown[1].plain == "Q1 由小王认领"
        assert await sandbox.send(outgoing(card=QUERY, edits=handle), READER) == handle
        assert len(sandbox.visible("li", GROUP_ID)) == 2


async def test_a_message_of_another_transcript_is_never_edited() -> None:
    handle = await slack_like().send(outgoing(said="一"), READER)
    sandbox = slack_like()
    await sandbox.send(outgoing(said="二"), READER)
    with pytest.raises(DeliveryFailed) as failed:
        await sandbox.send(outgoing(said="三", edits=handle), READER)
    assert failed.value.outcome == "dead"
    assert sandbox.visible("li", GROUP_ID)[0].plain == "二"


async def test_scripted_failures_come_in_order() -> None:
    sandbox = slack_like()
    sandbox.failures = [DeliveryFailed("retry", "later", after=2), DeliveryFailed("dead", "no")]
    for outcome in ("retry", "dead"):
        with pytest.raises(DeliveryFailed) as failed:
            await sandbox.send(outgoing(said="一"), READER)
        assert failed.value.outcome == outcome
    await sandbox.send(outgoing(said="二"), READER)
    assert [one.plain for one in sandbox.visible("li", GROUP_ID)] == ["二"]


async def test_an_address_that_is_nobodys_is_dead() -> None:
    with pytest.raises(DeliveryFailed) as failed:
        await slack_like().send(outgoing("nobody", said="一"), READER)
    assert failed.value.outcome == "dead"


async def test_a_long_message_is_cut_where_the_platform_does(bot: Bot) -> None:
    sandbox = SandboxAdapter(StillClock().now, reader_for, WECOM_LIKE)
    said = "\n".join(f"{number}. " + "班长" * 30 for number in range(60))
    await sandbox.send(outgoing("wang", card=QUERY, said=said), READER)
    shown = sandbox.visible("wang", "wang")
    assert len(shown) > 2
    assert all(len(one.plain.encode()) <= 2048 for one in shown)
    assert "".join(one.plain for one in shown).startswith(said)
    assert [len(one.buttons) for one in shown] == [0] * (len(shown) - 1) + [2]
    assert all(one.plain.endswith("\n") for one in shown[:-1])


@given(st.text(st.characters(codec="utf-8"), max_size=400), st.integers(4, 60))
def test_cutting_keeps_the_text_and_every_character(whole: str, limit: int) -> None:
    pieces = cut(whole, limit)
    assert "".join(pieces) == whole
    assert all(len(one.encode()) <= limit for one in pieces)
    assert all(pieces) or pieces == [""]


@given(st.text("é班👩\u200d💻\u0301\ufe0f\n ", max_size=60))
def test_cutting_parts_no_accent_and_no_joined_emoji_that_fits(whole: str) -> None:
    longest = max(len(run.encode()) for run in whole.split("班"))
    for before, piece in pairwise(cut(f"字{whole}", 40)):
        assert longest > 30 or before.endswith("\n") or piece[0] not in "\u0301\ufe0f\u200d"


# --- the transcript -------------------------------------------------------------------------------


async def test_the_chat_survives_a_restart(tmp_path: Path, bot: Bot) -> None:
    path = tmp_path / "chat" / "transcript.jsonl"
    first = SandboxAdapter(StillClock().now, reader_for, transcript_path=path)
    await first.say("wang", GROUP_ID, "@班长 你好\n<b>", bot, key="m1")
    handle = await first.send(outgoing(card=QUERY), READER)
    first.profile = DINGTALK_LIKE
    second = SandboxAdapter(StillClock().now, reader_for, transcript_path=path)
    assert second.visible("wang", GROUP_ID) == first.visible("wang", GROUP_ID)
    assert second.transcript.last_change == first.transcript.last_change
    assert second.profile is DINGTALK_LIKE
    assert second.capabilities == DINGTALK_LIKE.capabilities
    second.profile = SLACK_LIKE
    await second.send(outgoing(said="改", edits=handle), READER)
    third = Transcript(path)
    assert [len(one.versions) for one in third.visible("li", GROUP_ID)] == [1, 1, 2]
    assert third.with_key("m1") == third.get(1)


def test_a_torn_last_line_is_dropped_and_writing_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "chat.jsonl"
    whole = Transcript(path)
    for number in range(3):
        whole.append(GROUP_ID, "wang", Content(plain=str(number)), MORNING)
    size = path.stat().st_size
    last = len(path.read_bytes().splitlines()[-1])
    for torn in range(1, last + 2, 7):
        content = path.read_bytes()[: size - torn]
        path.with_name("torn.jsonl").write_bytes(content)
        again = Transcript(path.with_name("torn.jsonl"))
        assert [one.plain for one in again.visible("li", GROUP_ID)] == ["0", "1"]
        again.append(GROUP_ID, "wang", Content(plain="新"), MORNING)
        after = Transcript(path.with_name("torn.jsonl"))
        assert [one.plain for one in after.visible("li", GROUP_ID)] == ["0", "1", "新"]
        assert after.epoch == whole.epoch


def test_a_file_that_is_no_transcript_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("dear diary\nhello\n")
    with pytest.raises(ValueError, match=r"notes\.txt:1: not a line of a transcript"):
        Transcript(path)
    assert path.read_text() == "dear diary\nhello\n"


def test_what_followed_a_change_is_told_once_and_as_it_is_now() -> None:
    transcript = Transcript()
    woken: list[int] = []
    transcript.listeners.add(lambda: woken.append(transcript.last_change))
    for number in range(3):
        transcript.append(GROUP_ID, "wang", Content(plain=str(number)), MORNING)
    transcript.edit(1, Content(plain="改"), MORNING)
    transcript.edit(1, Content(plain="再改"), MORNING)
    assert woken == [1, 2, 3, 4, 5]
    assert [one.plain for one in transcript.since(0)] == ["再改", "1", "2"]
    assert [one.plain for one in transcript.since(2)] == ["2", "再改"]
    assert transcript.since(5) == []
    with pytest.raises(KeyError):
        transcript.edit(4, Content(plain="无"), MORNING)


def test_it_is_an_adapter() -> None:
    adapter: Adapter = slack_like()
    assert (adapter.name, adapter.paths, adapter.trouble()) == ("sandbox", (), None)
    assert adapter.pace(Address(platform="sandbox", kind="group", id=GROUP_ID)) == 0
