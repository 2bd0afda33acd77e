"""The times people type: what each one means, and which are refused and why."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, time, timedelta
from functools import partial
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bot.times import (
    Looking,
    Reason,
    UnreadableTime,
    read_duration,
    read_leading_time,
    read_time,
    read_trailing_time,
    show_time,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
APIA = ZoneInfo("Pacific/Apia")

# A Wednesday afternoon, with seconds that must not show up anywhere.
NOW = datetime(2026, 11, 18, 15, 20, 42, 7, tzinfo=SHANGHAI)

fixed = settings(
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow],
)


def at(written: str, zone: ZoneInfo = SHANGHAI) -> datetime:
    return datetime.fromisoformat(written).replace(tzinfo=zone)


def shown(instant: datetime, zone: ZoneInfo = SHANGHAI) -> str:
    assert instant.tzinfo is UTC
    return instant.astimezone(zone).strftime("%Y-%m-%d %H:%M")


def refusal(read: Callable[[], object]) -> Reason:
    with pytest.raises(UnreadableTime) as refused:
        read()
    return refused.value.reason


AHEAD = {
    # clock times today
    "18:00": "2026-11-18 18:00",
    "6pm": "2026-11-18 18:00",
    "6 PM": "2026-11-18 18:00",
    "6 p.m.": "2026-11-18 18:00",
    "6:30 pm": "2026-11-18 18:30",
    "18：00": "2026-11-18 18:00",
    "１８：３０": "2026-11-18 18:30",
    "18:00:59": "2026-11-18 18:00",
    "15:21": "2026-11-18 15:21",
    "at 18": "2026-11-18 18:00",
    "18点": "2026-11-18 18:00",
    "18點": "2026-11-18 18:00",
    "18点30": "2026-11-18 18:30",
    "18点30分": "2026-11-18 18:30",
    "18时05分": "2026-11-18 18:05",
    "18点半": "2026-11-18 18:30",
    "18点一刻": "2026-11-18 18:15",
    "下午6点三刻": "2026-11-18 18:45",
    "下午三点半": "2026-11-18 15:30",
    "下午六点零五": "2026-11-18 18:05",
    "下午 6 点": "2026-11-18 18:00",
    "下午18:00": "2026-11-18 18:00",
    "二十三点": "2026-11-18 23:00",
    "晚上8点": "2026-11-18 20:00",
    "晚8点": "2026-11-18 20:00",
    "今晚8点": "2026-11-18 20:00",
    "傍晚6点": "2026-11-18 18:00",
    "深夜11点": "2026-11-18 23:00",
    "tonight 8pm": "2026-11-18 20:00",
    "tonight at 8": "2026-11-18 20:00",
    "this evening 7pm": "2026-11-18 19:00",
    "today 18:00": "2026-11-18 18:00",
    "18:00 today": "2026-11-18 18:00",
    # the midnight that ends today
    "24:00": "2026-11-19 00:00",
    "今晚12点": "2026-11-19 00:00",
    "晚上十二点半": "2026-11-19 00:30",
    "tonight midnight": "2026-11-19 00:00",
    "tonight 12am": "2026-11-19 00:00",
    # the end of the working day
    "end of day": "2026-11-18 18:00",
    "EOD": "2026-11-18 18:00",
    "by the end of the day": "2026-11-18 18:00",
    "今天下班前": "2026-11-18 18:00",
    "下班前": "2026-11-18 18:00",
    "today": "2026-11-18 18:00",
    "今天": "2026-11-18 18:00",
    "eod friday": "2026-11-20 18:00",
    "周五下班之前": "2026-11-20 18:00",
    # days near by
    "tomorrow 6pm": "2026-11-19 18:00",
    "6pm tomorrow": "2026-11-19 18:00",
    "tomorrow at 18:00": "2026-11-19 18:00",
    "tomorrow, 18:00": "2026-11-19 18:00",
    "tomorrow morning at 9": "2026-11-19 09:00",
    "tmr": "2026-11-19 18:00",
    "明天下午6点": "2026-11-19 18:00",
    "明天的18:00": "2026-11-19 18:00",
    "明天18:00": "2026-11-19 18:00",
    "明天  18：00": "2026-11-19 18:00",
    "明早9点": "2026-11-19 09:00",
    "明晚8点": "2026-11-19 20:00",
    "明天凌晨1点": "2026-11-19 01:00",
    "明天06:30": "2026-11-19 06:30",
    "明天0点": "2026-11-19 00:00",
    "明天零点": "2026-11-19 00:00",
    "明天12点": "2026-11-19 12:00",
    "明天中午12点半": "2026-11-19 12:30",
    "明天中午1点": "2026-11-19 13:00",
    "tomorrow noon": "2026-11-19 12:00",
    "noon tomorrow": "2026-11-19 12:00",
    "tomorrow 12pm": "2026-11-19 12:00",
    "tomorrow 12:30am": "2026-11-19 00:30",
    "day after tomorrow": "2026-11-20 18:00",
    "the day after tomorrow 9am": "2026-11-20 09:00",
    "后天中午": "2026-11-20 12:00",
    "大后天": "2026-11-21 18:00",
    # weekdays
    "fri 18:00": "2026-11-20 18:00",
    "on Friday at 6pm": "2026-11-20 18:00",
    "6pm on friday": "2026-11-20 18:00",
    "this friday": "2026-11-20 18:00",
    "周五18:00": "2026-11-20 18:00",
    "周5 18:00": "2026-11-20 18:00",
    "本周五": "2026-11-20 18:00",
    "这个周五": "2026-11-20 18:00",
    "星期五": "2026-11-20 18:00",
    "礼拜五": "2026-11-20 18:00",
    "星期天": "2026-11-22 18:00",
    "周日": "2026-11-22 18:00",
    "周三18点": "2026-11-18 18:00",
    "wednesday": "2026-11-18 18:00",
    "monday": "2026-11-23 18:00",
    "周一": "2026-11-23 18:00",
    "next monday 9am": "2026-11-23 09:00",
    "next wednesday": "2026-11-25 18:00",
    "friday next week": "2026-11-27 18:00",
    "next week friday 9:00": "2026-11-27 09:00",
    "下周一9点": "2026-11-23 09:00",
    "下个周一9点": "2026-11-23 09:00",
    "下周日": "2026-11-29 18:00",
    "下下周一": "2026-11-30 18:00",
    "下周三之前": "2026-11-25 18:00",
    "下周三前": "2026-11-25 18:00",
    "下周三以前": "2026-11-25 18:00",
    "before 6pm": "2026-11-18 18:00",
    "by friday": "2026-11-20 18:00",
    "due fri 18:00": "2026-11-20 18:00",
    "截止明天18:00": "2026-11-19 18:00",
    "明天18:00截止": "2026-11-19 18:00",
    # dates
    "11-30 18:00": "2026-11-30 18:00",
    "11/30 18:00": "2026-11-30 18:00",
    "30/11": "2026-11-30 18:00",
    "12/12": "2026-12-12 18:00",
    "12-11": "2026-12-11 18:00",
    "11月30日": "2026-11-30 18:00",
    "11月30": "2026-11-30 18:00",
    "11月30日18:00": "2026-11-30 18:00",
    "十一月三十日晚上八点": "2026-11-30 20:00",
    "12月1号上午10点": "2026-12-01 10:00",
    "2026年12月1日": "2026-12-01 18:00",
    "2026-12-01": "2026-12-01 18:00",
    "2026-12-01 09:00": "2026-12-01 09:00",
    "2026-12-01T09:00": "2026-12-01 09:00",
    "2026/12/1 9点": "2026-12-01 09:00",
    "dec 1": "2026-12-01 18:00",
    "1st of December 2026 9am": "2026-12-01 09:00",
    "Dec 1st, 2026": "2026-12-01 18:00",
    "明年3月1日": "2027-03-01 18:00",
    "1月5日": "2027-01-05 18:00",
    "03-31": "2027-03-31 18:00",
    "25号": "2026-11-25 18:00",
    "廿五号": "2026-11-25 18:00",
    "the 25th at 6pm": "2026-11-25 18:00",
    "18号18:00": "2026-11-18 18:00",
    "5号": "2026-12-05 18:00",
    "下月5号": "2026-12-05 18:00",
    "下个月20号": "2026-12-20 18:00",
    "月底": "2026-11-30 18:00",
    "end of month": "2026-11-30 18:00",
    "本月底": "2026-11-30 18:00",
    "下个月底": "2026-12-31 18:00",
    "12月底": "2026-12-31 18:00",
    # from now
    "in 2 hours": "2026-11-18 17:20",
    "2h": "2026-11-18 17:20",
    "within 2 hours": "2026-11-18 17:20",
    "2 hours from now": "2026-11-18 17:20",
    "两小时后": "2026-11-18 17:20",
    "两小时内": "2026-11-18 17:20",
    "due 2h": "2026-11-18 17:20",
    "in 1.5 hours": "2026-11-18 16:50",
    "1个半小时后": "2026-11-18 16:50",
    "in 30 minutes": "2026-11-18 15:50",
    "30m": "2026-11-18 15:50",
    "1h30m": "2026-11-18 16:50",
    "half an hour": "2026-11-18 15:50",
    "半小时后": "2026-11-18 15:50",
    "30分钟后": "2026-11-18 15:50",
    "一刻钟后": "2026-11-18 15:35",
    "一个小时后": "2026-11-18 16:20",
    "两天后": "2026-11-20 15:20",
    "3天后": "2026-11-21 15:20",
    "in a week": "2026-11-25 15:20",
    "3天后18:00": "2026-11-21 18:00",
    "in 3 days at 6pm": "2026-11-21 18:00",
}


@pytest.mark.parametrize(("text", "expected"), AHEAD.items())
def test_what_people_type_for_the_future(text: str, expected: str) -> None:
    assert shown(read_time(text, NOW, SHANGHAI)) == expected
    assert shown(read_time(f"  {text}\u3000", NOW, SHANGHAI)) == expected


@pytest.mark.parametrize(("text", "expected"), AHEAD.items())
def test_the_same_at_either_end_of_a_text(text: str, expected: str) -> None:
    leading, rest = read_leading_time(f"{text} 忘了", NOW, SHANGHAI)
    assert (shown(leading), rest) == (expected, "忘了")
    title, trailing = read_trailing_time(f"整理精华 {text}", NOW, SHANGHAI)
    assert (title, shown(trailing)) == ("整理精华", expected)


AHEAD_REFUSED: list[tuple[str, Reason]] = [
    *((text, "missing") for text in ("", " ", "\u3000", "明天下午", "今晚", "tomorrow morning")),
    # on the wrong side of now; nothing rolls over to another day
    *((text, "past") for text in ("15:20", "9:00", "9点", "noon", "3pm", "下午3点", "凌晨1点")),
    *((text, "past") for text in ("周三9:00", "wed 9am", "周三15:20", "上周五", "last friday")),
    *((text, "past") for text in ("10月1日", "11-17", "2025-12-01", "18号9点", "本月5号", "昨天")),
    *(
        (text, "past")
        for text in ("2小时前", "3天前", "2 hours ago", "in 0 minutes", "this monday")
    ),
    # two readings
    *((text, "ambiguous") for text in ("3点", "明天3点", "明天三点半", "明天6:30", "at 6")),
    *((text, "ambiguous") for text in ("tomorrow at 9", "at 12", "midnight", "friday midnight")),
    *((text, "ambiguous") for text in ("friday 12am", "半夜12点", "凌晨12点", "午夜", "上午12点")),
    *(
        (text, "ambiguous")
        for text in ("今晚1点", "今晚0点", "明天下午11点", "8:00 tonight", "六点下午")
    ),
    *((text, "ambiguous") for text in ("next friday", "next sunday 9am", "下个周五", "12/11")),
    # no such thing
    *((text, "unreadable") for text in ("2月30日", "13-01", "25:00", "24:30", "18:60", "18:00:60")),
    *(
        (text, "unreadable")
        for text in ("32号", "31号", "0号", "11-31", "13pm", "0am", "tonight at 25")
    ),
    *(
        (text, "unreadable")
        for text in ("2027-02-29", "0000-01-01", "上午18点", "45/11", "99999天后")
    ),
    # not in the grammar, or something is left over
    *(
        (text, "unreadable")
        for text in ("soon", "尽快", "asap", "now", "6", "1800", "18.00", "11.30")
    ),
    *(
        (text, "unreadable")
        for text in ("18:00 sharp", "about 18:00", "18:00左右", "大约6点", "周末")
    ),
    *((text, "unreadable") for text in ("每周五18:00", "every friday", "9:00-18:00", "9点到18点")),
    *(
        (text, "unreadable")
        for text in ("3-5天", "下周", "next week", "一个月后", "30分", "2h tomorrow")
    ),
    *(
        (text, "unreadable")
        for text in ("大大后天", "before 2 hours", "in 2 hours ago", "2h30", "周8")
    ),
    *((text, "unreadable") for text in ("11～30", "٢h", "²h", "18:00" + "前" * 9, "半天后")),
    *(
        (text, "unreadable")
        for text in ("18:00+08:00", "18:00-05:00", "2026-12-01 18:00Z", "周五起")
    ),
    ("明天" + " " * 200 + "18:00", "unreadable"),
]


@pytest.mark.parametrize(("text", "reason"), AHEAD_REFUSED)
def test_what_is_refused_and_why(text: str, reason: Reason) -> None:
    assert reason in get_args(Reason)
    assert refusal(lambda: read_time(text, NOW, SHANGHAI)) == reason


def test_a_refusal_keeps_what_was_typed() -> None:
    with pytest.raises(UnreadableTime, match="past") as refused:
        read_time("９：00", NOW, SHANGHAI)
    assert refused.value.text == "９：00"


BACK = {
    "9:00": "2026-11-18 09:00",
    "15:20": "2026-11-18 15:20",
    "今早9点": "2026-11-18 09:00",
    "this morning at 9": "2026-11-18 09:00",
    "18:00": "2026-11-17 18:00",
    "晚上8点": "2026-11-17 20:00",
    "昨天18:00": "2026-11-17 18:00",
    "18:00 yesterday": "2026-11-17 18:00",
    "yesterday 6pm": "2026-11-17 18:00",
    "昨晚10点": "2026-11-17 22:00",
    "last night 10pm": "2026-11-17 22:00",
    "昨晚12点": "2026-11-18 00:00",
    "前天9点": "2026-11-16 09:00",
    "大前天9点": "2026-11-15 09:00",
    "day before yesterday 9:00": "2026-11-16 09:00",
    "周五18:00": "2026-11-13 18:00",
    "周三9:00": "2026-11-18 09:00",
    "上周五18:00": "2026-11-13 18:00",
    "上上周五18:00": "2026-11-06 18:00",
    "last friday 18:00": "2026-11-13 18:00",
    "上周一9点": "2026-11-09 09:00",
    "11-17 18:00": "2026-11-17 18:00",
    "01-05 9:00": "2026-01-05 09:00",
    "去年12月31日18:00": "2025-12-31 18:00",
    "5号9点": "2026-11-05 09:00",
    "25号9点": "2026-10-25 09:00",
    "上月5号9点": "2026-10-05 09:00",
    "2 hours ago": "2026-11-18 13:20",
    "两小时前": "2026-11-18 13:20",
    "half an hour ago": "2026-11-18 14:50",
    "3天前": "2026-11-15 15:20",
}


@pytest.mark.parametrize(("text", "expected"), BACK.items())
def test_what_people_type_in_a_correction(text: str, expected: str) -> None:
    assert shown(read_time(text, NOW, SHANGHAI, looking="back")) == expected


BACK_REFUSED: list[tuple[str, Reason]] = [
    # a correction needs the clock time: the end of the day would be a guess
    *((text, "missing") for text in ("昨天", "yesterday", "周五", "11-17", "昨天下午", "下班前")),
    *((text, "future") for text in ("今天18:00", "tomorrow 9am", "周三18:00", "2h", "本周五9点")),
    *((text, "future") for text in ("11-30 9:00", "18号18:00", "2027-01-01 9:00", "in 2 hours")),
    *((text, "ambiguous") for text in ("昨天6点", "last monday 9:00", "昨晚1点", "yesterday at 9")),
]


@pytest.mark.parametrize(("text", "reason"), BACK_REFUSED)
def test_what_is_refused_in_a_correction(text: str, reason: Reason) -> None:
    assert refusal(lambda: read_time(text, NOW, SHANGHAI, looking="back")) == reason


@pytest.mark.parametrize(
    ("now", "text", "looking", "expected"),
    [
        # a night shift, after midnight
        ("2026-11-19 02:00", "18:00", "back", "2026-11-18 18:00"),
        ("2026-11-19 02:00", "昨天18:00", "back", "2026-11-18 18:00"),
        ("2026-11-19 02:00", "昨晚10点", "back", "2026-11-18 22:00"),
        ("2026-11-19 00:10", "24:00", "back", "2026-11-19 00:00"),
        ("2026-11-18 21:00", "今晚8点", "ahead", "past"),
        ("2026-11-18 23:59", "0:00", "ahead", "past"),
        ("2026-11-18 23:59", "24:00", "ahead", "2026-11-19 00:00"),
        ("2026-11-18 23:59", "in 2 minutes", "ahead", "2026-11-19 00:01"),
        ("2026-11-19 00:00", "明天18:00", "ahead", "2026-11-20 18:00"),
        # weekdays on that very day
        ("2026-11-20 17:00", "周五", "ahead", "2026-11-20 18:00"),
        ("2026-11-20 19:00", "周五", "ahead", "past"),
        ("2026-11-20 19:00", "fri 18:00", "ahead", "past"),
        ("2026-11-20 19:00", "next friday", "ahead", "2026-11-27 18:00"),
        ("2026-11-21 12:00", "next friday", "ahead", "2026-11-27 18:00"),
        ("2026-11-21 12:00", "本周五", "ahead", "past"),
        ("2026-11-22 12:00", "下周一9点", "ahead", "2026-11-23 09:00"),
        ("2026-11-21 12:00", "last friday 9:00", "back", "ambiguous"),
        ("2026-11-21 12:00", "上周五9:00", "back", "2026-11-13 09:00"),
        # the ends of months and years
        ("2026-12-31 12:00", "明天9点", "ahead", "2027-01-01 09:00"),
        ("2026-12-31 12:00", "月底", "ahead", "2026-12-31 18:00"),
        ("2026-12-31 19:00", "月底", "ahead", "past"),
        ("2026-12-28 12:00", "5号", "ahead", "2027-01-05 18:00"),
        ("2026-12-28 12:00", "下月底", "ahead", "2027-01-31 18:00"),
        ("2026-09-30 12:00", "1月5日", "ahead", "past"),
        ("2026-10-01 12:00", "4月5日", "ahead", "past"),
        ("2027-01-03 12:00", "12-31 18:00", "back", "2026-12-31 18:00"),
        ("2027-01-03 12:00", "31号18:00", "back", "2026-12-31 18:00"),
        ("2027-01-31 12:00", "30号", "ahead", "unreadable"),
        # leap days
        ("2028-02-01 12:00", "2月29日", "ahead", "2028-02-29 18:00"),
        ("2028-02-28 12:00", "明天", "ahead", "2028-02-29 18:00"),
        ("2028-02-01 12:00", "月底", "ahead", "2028-02-29 18:00"),
        ("2027-02-01 12:00", "2月29日", "ahead", "unreadable"),
        ("2027-12-01 12:00", "02-29", "ahead", "2028-02-29 18:00"),
    ],
)
def test_at_the_edges_of_days_weeks_and_years(
    now: str, text: str, looking: Looking, expected: str
) -> None:
    assert _shown_or_reason(text, at(now), SHANGHAI, looking) == expected


def _shown_or_reason(text: str, now: datetime, zone: ZoneInfo, looking: Looking) -> str:
    try:
        return shown(read_time(text, now, zone, looking=looking), zone)
    except UnreadableTime as refused:
        return refused.reason


@pytest.mark.parametrize(
    ("zone", "now", "text", "expected"),
    [
        # Berlin skips 02:00-03:00 on 2026-03-29 and repeats it on 2026-10-25
        (BERLIN, "2026-03-28 12:00", "tomorrow 02:30", "unreadable"),
        (BERLIN, "2026-03-28 12:00", "tomorrow 03:00", "2026-03-29T01:00"),
        (BERLIN, "2026-03-28 12:00", "1天后", "2026-03-29T10:00"),
        (BERLIN, "2026-03-28 12:00", "in 24 hours", "2026-03-29T11:00"),
        (BERLIN, "2026-03-28 02:30", "in 1 day", "unreadable"),
        (BERLIN, "2026-10-24 12:00", "tomorrow 02:30", "ambiguous"),
        (BERLIN, "2026-10-24 12:00", "tomorrow 02:30+02:00", "2026-10-25T00:30"),
        (BERLIN, "2026-10-24 12:00", "tomorrow 02:30+01:00", "2026-10-25T01:30"),
        (BERLIN, "2026-10-24 12:00", "tomorrow 02:30+03:00", "unreadable"),
        (BERLIN, "2026-10-24 12:00", "tomorrow 18:00", "2026-10-25T17:00"),
        (BERLIN, "2026-10-24 02:30", "in 1 day", "ambiguous"),
        (NEW_YORK, "2026-03-07 12:00", "tomorrow 2:30 am", "unreadable"),
        (NEW_YORK, "2026-10-31 12:00", "tomorrow 01:30", "ambiguous"),
        (NEW_YORK, "2026-10-31 12:00", "tomorrow 01:30-04:00", "2026-11-01T05:30"),
        (NEW_YORK, "2026-10-31 12:00", "tomorrow 01:30-05:00", "2026-11-01T06:30"),
        (NEW_YORK, "2026-10-31 12:00", "tomorrow 09:00-05:00", "unreadable"),
        # Samoa crossed the date line: there was no 2011-12-30
        (APIA, "2011-12-29 12:00", "tomorrow 18:00", "unreadable"),
        (APIA, "2011-12-29 12:00", "12-31 18:00", "2011-12-31T04:00"),
    ],
)
def test_when_clocks_change(zone: ZoneInfo, now: str, text: str, expected: str) -> None:
    try:
        read = read_time(text, at(now, zone), zone).strftime("%Y-%m-%dT%H:%M")
    except UnreadableTime as refused:
        read = refused.reason
    assert read == expected


def test_the_working_day_may_end_at_another_time() -> None:
    for text in ("eod", "今天", "下班前"):
        assert shown(read_time(text, NOW, SHANGHAI, day_ends=time(22, 30))) == "2026-11-18 22:30"
    assert refusal(lambda: read_time("今天", NOW, SHANGHAI, day_ends=time(15))) == "past"


def test_now_may_be_in_another_zone() -> None:
    assert shown(read_time("18:00", NOW.astimezone(UTC), SHANGHAI)) == "2026-11-18 18:00"


@pytest.mark.parametrize(
    ("text", "expected", "rest"),
    [
        ("9:00 forgot my phone", "2026-11-18 09:00", "forgot my phone"),
        ("9:00", "2026-11-18 09:00", ""),
        ("9:00am", "2026-11-18 09:00", ""),
        ("下午2点忘了打卡", "2026-11-18 14:00", "忘了打卡"),
        ("昨天9点，没带手机", "2026-11-17 09:00", "没带手机"),
        ("昨天下午六点半半路堵车", "2026-11-17 18:30", "半路堵车"),
        ("9:00 昨天忘了", "2026-11-17 09:00", "忘了"),
        ("9:00个人原因", "2026-11-18 09:00", "个人原因"),
        ("9点前台没人", "2026-11-18 09:00", "前台没人"),
        ("9点半夜班", "2026-11-18 09:30", "夜班"),
        ("9:00 3号店忘打卡", "2026-11-18 09:00", "3号店忘打卡"),
        ("9:00 Money was short", "2026-11-18 09:00", "Money was short"),
        ("9:00 " + "x" * 5000, "2026-11-18 09:00", "x" * 5000),
    ],
)
def test_a_time_and_what_follows_it(text: str, expected: str, rest: str) -> None:
    read = read_leading_time(text, NOW, SHANGHAI, looking="back")
    assert (shown(read[0]), read[1]) == (expected, rest)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "missing"),
        ("昨天早退了", "missing"),
        ("昨天忘了", "missing"),
        ("forgot 9:00", "unreadable"),
        ("9点到18点", "unreadable"),
        ("9:00-18:00 shift", "unreadable"),
        ("9:00 - 18:00", "unreadable"),
        ("9:00～18:00", "unreadable"),
        ("9am to 5pm", "unreadable"),
        ("9:00 18:00", "unreadable"),
        ("9点30分钟的会", "unreadable"),
        ("9点一直忘", "unreadable"),
        ("9点左右到的", "unreadable"),
        ("11-17周二 9:00", "unreadable"),
        ("11-17 or 11-16", "unreadable"),
        ("9:00pmx", "unreadable"),
        ("11月17日（周二）9:00", "unreadable"),
        ("yesterday 9 forgot", "unreadable"),
        ("8:00 this evening", "ambiguous"),
        ("6点忘了打卡", "ambiguous"),
        ("18:00" + " " * 300 + "忘", "unreadable"),
        ("昨天" + " " * 300 + "18:00", "unreadable"),
    ],
)
def test_no_time_is_cut_short_at_the_beginning(text: str, reason: Reason) -> None:
    read = partial(read_leading_time, text, NOW, SHANGHAI, looking="back")
    assert refusal(read) == reason


@pytest.mark.parametrize(
    ("text", "title", "expected"),
    [
        ("写周报 明天18:00", "写周报", "2026-11-19 18:00"),
        ("整理精华截止明天18:00", "整理精华", "2026-11-19 18:00"),
        ("tidy the board due fri 18:00", "tidy the board", "2026-11-20 18:00"),
        ("fix report by friday", "fix report", "2026-11-20 18:00"),
        ("打扫3号楼 18:00", "打扫3号楼", "2026-11-18 18:00"),
        ("线下活动：下周一9点", "线下活动", "2026-11-23 09:00"),
        ("18:00", "", "2026-11-18 18:00"),
        ("x" * 5000 + " 2h", "x" * 5000, "2026-11-18 17:20"),
    ],
)
def test_a_title_and_the_time_after_it(text: str, title: str, expected: str) -> None:
    read = read_trailing_time(text, NOW, SHANGHAI)
    assert (read[0], shown(read[1])) == (title, expected)


@pytest.mark.parametrize(
    "text",
    [
        *("call Simon", "nothing", "18:00 please", "发周报每周五18:00", "report every friday"),
        *("9点到18点", "open 9am to 5pm", "9:00-18:00", "read 99-11-30 18:00", "v1.30m"),
        *("11月30日周一18:00", "start from monday", "大大后天", "下下下周一", "第三天后", "3-5天"),
        *(
            "the day after friday",
            "tomorrow around 6pm",
            "11月30日(周一) 18:00",
            "x" * 150 + "明天" + " " * 196 + "18:00",
            "room12h",
        ),
    ],
)
def test_no_time_is_cut_off_at_the_end(text: str) -> None:
    assert refusal(lambda: read_trailing_time(text, NOW, SHANGHAI)) == "unreadable"


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        *(("2h", 120), ("30m", 30), ("1h30m", 90), ("1h 30m", 90), ("90 min", 90), ("90分钟", 90)),
        *(("in 2 hours", 120), ("2 HOURS", 120), ("1.5h", 90), ("1 hour and 30 minutes", 90)),
        *(("an hour", 60), ("half an hour", 30), ("an hour and a half", 90), ("２小时", 120)),
        *(("两小时", 120), ("两个小时", 120), ("半小时", 30), ("半个小时", 30), ("1个半小时", 90)),
        *(("一个半小时", 90), ("1小时半", 90), ("1小时30分", 90), ("一刻钟", 15), ("三刻钟", 45)),
        *(("十五分钟", 15), ("3天", 4320), ("1d 2h", 1560), ("a week", 10080), ("两周", 20160)),
    ],
)
def test_durations(text: str, minutes: int) -> None:
    assert read_duration(text) == timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        *(("", "missing"), ("0m", "unreadable"), ("2", "unreadable"), ("30分", "unreadable")),
        *(("-2h", "unreadable"), ("2h later", "unreadable"), ("1h and", "unreadable")),
        *(("一个月", "unreadable"), ("12345h", "unreadable"), ("2h" + " " * 300, "unreadable")),
    ],
)
def test_durations_that_are_refused(text: str, reason: Reason) -> None:
    assert refusal(lambda: read_duration(text)) == reason


@pytest.mark.parametrize(
    ("instant", "now", "zone", "expected"),
    [
        ("2026-11-18T18:00", "2026-11-18T10:00", SHANGHAI, "18:00"),
        ("2026-11-30T18:00:59", "2026-11-18T10:00", SHANGHAI, "11-30 18:00"),
        ("2027-01-03T18:00", "2026-11-18T10:00", SHANGHAI, "2027-01-03 18:00"),
        ("2026-01-05T18:00", "2026-02-18T10:00", SHANGHAI, "01-05 18:00"),
        # in November 01-05 would be read as next January's
        ("2026-01-05T18:00", "2026-11-18T10:00", SHANGHAI, "2026-01-05 18:00"),
        ("2026-10-25T03:30", "2026-10-25T00:00", BERLIN, "03:30"),
    ],
)
def test_how_a_time_is_shown(instant: str, now: str, zone: ZoneInfo, expected: str) -> None:
    assert show_time(at(instant, zone), at(now, zone), zone) == expected


def test_a_repeated_hour_is_shown_with_its_offset() -> None:
    now = at("2026-10-25T00:00", BERLIN)
    summer = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert show_time(summer, now, BERLIN) == "02:30+02:00"
    assert show_time(summer + timedelta(hours=1), now, BERLIN) == "02:30+01:00"


def test_naive_times_are_a_mistake_of_the_caller() -> None:
    naive = NOW.replace(tzinfo=None)
    for read in (read_time, read_leading_time, read_trailing_time):
        with pytest.raises(TypeError):
            read("18:00", naive, SHANGHAI)
    for pair in ((naive, NOW), (NOW, naive)):
        with pytest.raises(TypeError):
            show_time(*pair, SHANGHAI)


zones = st.sampled_from((SHANGHAI, BERLIN, NEW_YORK, LORD_HOWE, APIA, ZoneInfo("UTC")))
nows = st.integers(0, 30 * 365 * 24 * 60 * 60).map(
    lambda seconds: datetime(2009, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)
# Around the hours that clocks repeat or skip, where reading back is hardest.
changes = st.sampled_from(
    [
        datetime(2026, 10, 25, 0, 0, tzinfo=UTC),  # Berlin
        datetime(2026, 11, 1, 5, 0, tzinfo=UTC),  # New York
        datetime(2026, 4, 4, 14, 30, tzinfo=UTC),  # Lord Howe, by half an hour
        datetime(2011, 12, 30, 9, 0, tzinfo=UTC),  # Apia loses a day
        datetime(2026, 12, 31, 15, 0, tzinfo=UTC),
    ]
)


def _reads_back(now: datetime, instant: datetime, zone: ZoneInfo) -> bool:
    minute = instant.replace(second=0, microsecond=0)
    return read_time(show_time(instant, now, zone), now, zone) == minute


@fixed
@given(nows, st.integers(1, 400 * 24 * 60), zones)
def test_what_is_shown_reads_back(now: datetime, minutes: int, zone: ZoneInfo) -> None:
    assert _reads_back(now, now + timedelta(minutes=minutes), zone)


@fixed
@given(changes, st.integers(1, 3000), st.integers(-180, 180), zones)
def test_what_is_shown_reads_back_where_clocks_change(
    change: datetime, before: int, minutes: int, zone: ZoneInfo
) -> None:
    instant = change + timedelta(minutes=minutes)
    assert _reads_back(instant - timedelta(minutes=before), instant, zone)


@fixed
@given(nows, st.integers(0, 300 * 24 * 60), zones)
def test_what_is_shown_of_the_past_never_reads_as_the_future(
    now: datetime, minutes: int, zone: ZoneInfo
) -> None:
    text = show_time(now - timedelta(minutes=minutes), now, zone)
    assert refusal(lambda: read_time(text, now, zone)) == "past"


_WORDS = (
    "今 明 天 晚 早 上 下 午 周 个 五 日 月 底 点 半 刻 分 钟 小时 后 前 之 十 廿 两 零 年 号 "
    "， ： ① ٣ é 1 2 30 18 2026 0 : - / + . , am pm in at on by due next this last week fri "
    "monday tomorrow to night noon mid end of day h m hours and half a an dec the ago"
)
words = st.sampled_from([*_WORDS.split(" "), " ", "\u3000", "\n", "\x00", "\ud800"])
soup = st.lists(words, max_size=9).map("".join) | st.text(max_size=30)


def _datetimes(answer: datetime | tuple[datetime, str] | tuple[str, datetime]) -> list[datetime]:
    parts = answer if isinstance(answer, tuple) else (answer,)
    return [part for part in parts if isinstance(part, datetime)]


@settings(fixed, max_examples=600)
@given(soup, st.sampled_from(get_args(Looking)), zones)
@example("9999-12-31 24:00", "ahead", NEW_YORK)
@example("0001-01-01 00:00", "back", SHANGHAI)
def test_any_text_is_read_or_refused(text: str, looking: Looking, zone: ZoneInfo) -> None:
    for read in (read_time, read_leading_time, read_trailing_time):
        with suppress(UnreadableTime):
            [instant] = _datetimes(read(text, NOW, zone, looking=looking))
            assert instant.tzinfo is UTC
            assert (instant > NOW) == (looking == "ahead")
            assert instant == instant.replace(second=0, microsecond=0)


@fixed
@given(soup)
def test_any_text_is_a_duration_or_refused(text: str) -> None:
    with suppress(UnreadableTime):
        assert read_duration(text) > timedelta(0)


@fixed
@given(st.sampled_from((datetime(1, 1, 3, tzinfo=UTC), datetime(9999, 12, 29, tzinfo=UTC))), soup)
@example(datetime(9999, 12, 29, tzinfo=UTC), "in 9999 days")
@example(datetime(9999, 12, 29, tzinfo=UTC), "下周日")
@example(datetime(9999, 12, 29, tzinfo=UTC), "下月5号")
@example(datetime(1, 1, 3, tzinfo=UTC), "上上周一9点")
@example(datetime(1, 1, 3, tzinfo=UTC), "9999 hours ago")
def test_the_ends_of_the_calendar_are_refused(now: datetime, text: str) -> None:
    with suppress(UnreadableTime):
        read_time(text, now, SHANGHAI)
