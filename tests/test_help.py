"""Help: what this person may do, and everything about one verb."""

from __future__ import annotations

import pytest

import handlers
from bot.commands import Command
from bot.messages import LOCALES, Locale, Role, text
from bot.words import catalogue, reader_for
from handlers.help.commands import GROUPS, SAME_WORD
from tests.clock import MORNING
from tests.town import ROSTER, Town

WECOM_BYTES = 2048
NAMES = [one.name for one in handlers.COMMANDS]


def shown(name: str, locale: Locale) -> str:
    """The word by which a command is shown."""
    return reader_for(locale, "Asia/Shanghai", MORNING).plain(text(f"verbs.{name}"))


def test_a_worker_reads_what_a_worker_can_do(town: Town) -> None:
    said = town.say("小王", "帮助")
    assert "签到：" in said
    assert "咨询：" in said
    assert "人员 添加" not in said
    assert "重发" not in said
    assert said.splitlines()[0] == "【上下班】"


def test_a_manager_reads_more(town: Town) -> None:
    said = town.say("周经理", "帮助")
    assert "人员 添加：" in said
    assert "重发" in said


def test_a_guest_reads_little(town: Town) -> None:
    said = town.say("访客", "help")
    assert "咨询：" in said
    assert "签到" not in said.rsplit("\n", 1)[0]
    assert "加入" in said


def test_in_english(town: Town) -> None:
    town.say("小王", "language en")
    said = town.say("小王", "help")
    assert said.startswith("— Work time —\ncheckin - ")
    assert "ask - " in said


@pytest.mark.parametrize("typed", ["帮助 签到", "help checkin", "help 打卡", "帮助 check in"])
def test_one_verb(town: Town, typed: str) -> None:
    said = town.say("小王", typed)
    assert said.startswith("签到：")
    assert "打卡" in said
    assert "checkin" in said
    assert "例如：" in said


def test_a_verb_of_two_commands_is_explained_twice(town: Town) -> None:
    said = town.say("周经理", "帮助 通过")
    assert "通过 J1" in said
    assert "C" in said.split("\n\n")[1]


def test_usage_shows_what_may_be_left_out(town: Town) -> None:
    assert "人员 添加 〈@某人〉 [角色] [团队名称]" in town.say("周经理", "帮助 人员 添加")
    town.say("周经理", "language en")
    assert "staff add (@name) [Role] [Team name]" in town.say("周经理", "help staff add")


def test_an_unknown_word_is_met_with_the_nearest(town: Town) -> None:
    assert "checkin" in town.say("小王", "help chekin")
    assert "没看懂“天气”" in town.say("小王", "帮助 天气")


def test_help_in_a_group_is_read_by_the_asker_alone(town: Town) -> None:
    town.say("小王", "帮助", in_group=True)
    assert not any("上下班" in one for one in town.group())


@pytest.mark.parametrize("name", sorted(ROSTER))
@pytest.mark.parametrize("locale", LOCALES)
def test_help_is_one_message_everywhere(town: Town, name: str, locale: Locale) -> None:
    town.say(name, f"language {'en' if locale == 'en' else 'zh'}")
    before = len(town.reads(name))
    said = town.say(name, "help")
    assert len(said.encode()) <= WECOM_BYTES
    assert len(town.reads(name)) <= before + 1


@pytest.mark.parametrize("locale", LOCALES)
def test_no_word_is_listed_twice(locale: Locale) -> None:
    listed = [shown(name, locale) for name in NAMES if name not in SAME_WORD]
    assert len(listed) == len(set(listed))


def test_groups_name_commands_that_are_there() -> None:
    assert {name for members in GROUPS.values() for name in members} | SAME_WORD <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("locale", LOCALES)
def test_every_command_has_its_words(name: str, locale: Locale) -> None:
    known = catalogue(locale)
    for key in (f"verbs.{name}", f"help.{name}", f"examples.{name}"):
        assert key in known
    for argument in next(one for one in handlers.COMMANDS if one.name == name).arguments:
        assert f"arguments.{argument.name}" in known
        for choice in argument.choices:
            assert f"choices.{choice}" in known


@pytest.mark.parametrize("command", handlers.COMMANDS, ids=lambda one: one.name)
def test_an_example_begins_with_its_verb(command: Command) -> None:
    for locale in LOCALES:
        example = reader_for(locale, "UTC", MORNING).plain(text(f"examples.{command.name}"))
        assert example.startswith(tuple(catalogue(locale).synonyms(f"verbs.{command.name}")))


def test_everybody_may_ask_for_help() -> None:
    roles: tuple[Role, ...] = ("outsider", "guest", "worker", "finance", "admin")
    (command,) = (one for one in handlers.COMMANDS if one.name == "help")
    assert command.who >= set(roles)
