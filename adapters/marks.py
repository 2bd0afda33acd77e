"""Words in which nothing is markup, for platforms whose markdown knows no way to escape a sign.

A sign that would mean something is written as one that looks alike: a reader sees the same, and no
quotation of it changes a letter.
"""

from __future__ import annotations

import re

# <a href="…">, <font …>, <@userid>, <!-- … -->
_TAG = re.compile(r"<(?=[A-Za-z/@!?])")
# What markdown would take for bold, code, a quotation, a struck line, a link or its address, a
# heading (above a line of signs, too), a sign in other words.
_SIGNS = re.compile(
    r"[*`>]|_(?![0-9A-Za-z])|(?<![0-9A-Za-z])_|~(?=~)|(?<=~)~|\](?=[(:])|(?<!#)#++(?=\s|$)|&(?=#?\w+;)"
    r"|^(?=[-=:| \t]*[-=])[-=:| \t]++$",
    re.MULTILINE,
)
_LOOK_ALIKES = str.maketrans("*`>_~]#&-=", "＊ˋ＞＿～］＃＆－＝")


def without_tags(said: str) -> str:
    """No tag: neither a link nor a mention.

    >>> without_tags('<a href="http://x">pay</a> <@all> 1 < 2')
    '＜a href="http://x">pay＜/a> ＜@all> 1 < 2'
    """
    return _TAG.sub("＜", said)


def without_signs(said: str) -> str:
    """Words in which nothing is a sign of markdown's.

    >>> without_signs("**pay** [bank](http://x) a_b 1-2 C#1")
    '＊＊pay＊＊ [bank］(http://x) a_b 1-2 C#1'
    """
    return _SIGNS.sub(lambda found: found[0].translate(_LOOK_ALIKES), without_tags(said))
