"""Thanks and nods: what asks nothing and answers nothing."""

from __future__ import annotations

import re
import unicodedata

CHINESE_COURTESIES = (
    "谢谢", "谢了", "多谢", "感谢", "非常感谢", "谢谢你", "谢谢您", "谢谢大家", "好的", "好",
    "好嘞", "好哒", "嗯", "嗯嗯", "收到", "明白", "明白了", "知道了", "了解", "了解了", "辛苦了",
    "辛苦", "没事了", "ok了",
)  # fmt: skip
ENGLISH_COURTESIES = (
    "ok", "okay", "thanks", "thanks a lot", "many thanks", "thank you", "thank you very much",
    "thx", "ty", "cheers", "got it", "great", "perfect", "understood", "will do", "noted",
)  # fmt: skip
_WORD = "|".join(
    sorted(map(re.escape, (*CHINESE_COURTESIES, *ENGLISH_COURTESIES)), key=len, reverse=True)
)
COURTESY = re.compile(rf"(?:(?:{_WORD})(?![a-z])\s*)+")


def is_courtesy(typed: str) -> bool:
    """Only a thank-you or a nod, with whatever signs and faces come along.

    >>> is_courtesy("收到，谢谢！👍"), is_courtesy("Ok, thanks :)"), is_courtesy("谢谢，那周日呢")
    (True, True, False)
    """
    plain = "".join(
        " " if unicodedata.category(one)[0] in "PSZC" else one for one in typed.casefold()
    )
    return COURTESY.fullmatch(plain.strip()) is not None
