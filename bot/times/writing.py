"""How characters and numbers are written: widths, traditional forms, Chinese numerals."""

import re
from typing import Final

# Every replacement is one character for one, so a place in the plain text is the same
# place in what was typed.
_PLAIN: Final[dict[int, str]] = {
    **{code + 0xFEE0: chr(code).lower() for code in range(0x21, 0x7F)},
    **{ord(letter): letter.lower() for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"},
    **{ord(a): b for a, b in zip("\u3000\u00a0、–—〜", "  ,~~~", strict=True)},
    **{ord(a): b for a, b in zip("點時鐘個兩後週號禮間內", "点时钟个两后周号礼间内", strict=True)},
}

_UNITS: Final = "一二三四五六七八九"
_DIGITS: Final = {"零": 0, "〇": 0, "两": 2} | {c: n for n, c in enumerate(_UNITS, start=1)}

CHINESE_NUMBER: Final = (
    rf"(?:[{_UNITS}]?十[{_UNITS}]?|廿[{_UNITS}]?|卅一?|[零〇][{_UNITS}]?|[两{_UNITS}])"
)
SMALL_NUMBER: Final = rf"(?:[0-9]{{1,2}}|{CHINESE_NUMBER})"
NUMBER: Final = rf"(?:[0-9]{{1,4}}|{CHINESE_NUMBER})"


def plain(text: str) -> str:
    """Fold width, case and traditional characters; the length stays the same."""
    return text.translate(_PLAIN)


def number(written: str) -> int:
    """The value of a text that matches ``NUMBER``: ``18``, ``两``, ``十五``, ``廿三``, ``零五``."""
    if written[0] in "0123456789":
        return int(written)
    tens, ten, units = written.replace("廿", "二十").replace("卅", "三十").partition("十")
    if not ten:
        return sum(_DIGITS[digit] for digit in written)
    return 10 * _DIGITS.get(tens, 1) + _DIGITS.get(units, 0)


def pattern(source: str) -> re.Pattern[str]:
    """Compile a rule: spaces in it are for the eye, and classes are ASCII only."""
    return re.compile(source, re.VERBOSE | re.ASCII)
