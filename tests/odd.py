"""Odd input: values where they do not belong, and JSON that nobody meant."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Place = tuple[str | int, ...]
DROPPED = object()


def places(inside: Any, here: Place = ()) -> list[Place]:
    """Everywhere in a JSON value."""
    parts: list[tuple[str | int, Any]] = []
    if isinstance(inside, dict):
        parts = list(inside.items())
    elif isinstance(inside, list):
        parts = list(enumerate(inside))
    below = [one for name, part in parts for one in places(part, (*here, name))]
    return [*((*here, name) for name, _part in parts), *below]


def changed_at(inside: Any, place: Place, value: Any) -> Any:
    """A copy with another value at a place, or without the place (value is DROPPED); as it is
    where an earlier change took that place away.
    """
    try:
        return _changed_at(inside, place, value)
    except (KeyError, IndexError, TypeError, AttributeError):
        return inside


def _changed_at(inside: Any, place: Place, value: Any) -> Any:
    name, *rest = place
    copy = inside.copy()
    if rest:
        copy[name] = _changed_at(inside[name], tuple(rest), value)
    elif value is DROPPED:
        del copy[name]
    else:
        copy[name] = value
    return copy


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=5,
)


def odd_names(user_id: str) -> list[tuple[Any, str]]:
    """Names as a platform may tell them, and what somebody with this id is called then."""
    return [
        ("张\n三", "张 三"),
        (" 张三 ", "张三"),
        ("\ue000张三\ue001\x00", "张三"),
        ("张" * 500, "张" * 200),
        ("", user_id),
        (None, user_id),
        (7, user_id),
        (["张三"], user_id),
    ]
