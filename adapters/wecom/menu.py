"""The app's menu: under the app's conversation, for whoever would rather tap than type.

https://developer.work.weixin.qq.com/document/path/90231
Made from the bot's own commands, so that it can name none that is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from adapters.carried import Pressed
from adapters.reading import Json
from adapters.wecom.api import WecomApi
from bot.messages import Words, text

# On the first floor: what everybody taps twice a day.
FIRST = ("checkin", "checkout")
# Behind "More", the dearest first, five at most. A break has its buttons on the card of every
# check-in as well, so it is the first to make room, and its end with it.
PREFERRED = (("me",), ("tasks",), ("help",), ("queries",), ("pay",), ("break", "back"))
# How they stand there, from above.
ORDER = ("break", "back", "me", "tasks", "queries", "pay", "help")
MOST_BEHIND = 5


def menu(words: Callable[[Words], str], verbs: frozenset[str]) -> Json:
    """The menu in a language; `verbs` are the commands that the bot knows.

    A button gives back its command as a card's button does: see decode.py.
    """
    behind = _behind(verbs)
    buttons = [_button(words, verb) for verb in FIRST if verb in verbs]
    if behind:
        below = [_button(words, verb) for verb in ORDER if verb in behind]
        buttons.append({"name": words(text("wecom.menu.more")), "sub_button": below})
    return {"button": buttons}


def _behind(verbs: frozenset[str]) -> set[str]:
    found: set[str] = set()
    for together in PREFERRED:
        if verbs.issuperset(together) and len(found) + len(together) <= MOST_BEHIND:
            found.update(together)
    return found


def _button(words: Callable[[Words], str], verb: str) -> Json:
    return {
        "type": "click",
        "name": words(text(f"wecom.menu.{verb}")),
        "key": Pressed(command=verb).dumped(),
    }


# https://developer.work.weixin.qq.com/document/path/90231
async def push(api: WecomApi, agent_id: int, made: Json) -> None:
    """Put it in the place of what stands there. Raises WecomRefused and DeliveryFailed."""
    await api.call("menu/create", made, query={"agentid": agent_id}, quietly=True)


# https://developer.work.weixin.qq.com/document/path/90232
async def standing(api: WecomApi, agent_id: int) -> Json:
    """What stands there, as it was pushed. Raises WecomRefused (46003: nothing) and
    DeliveryFailed.
    """
    return await api.call("menu/get", query={"agentid": agent_id}, quietly=True)


def is_same(one: Json, other: Json) -> bool:
    """Whether people see and send the same by both; WeCom may put empty fields between."""
    return list(_lines(one)) == list(_lines(other))


def shown(made: Json) -> str:
    """The names in it, as one line."""
    return ", ".join(
        f"{name} ({', '.join(below)})" if below else name for name, below in _floors(made)
    )


def _floors(made: Json) -> Iterator[tuple[str, list[str]]]:
    for button in _listed(made, "button"):
        below = [str(one.get("name", "")) for one in _listed(button, "sub_button")]
        yield str(button.get("name", "")), below


def _lines(made: Json) -> Iterator[tuple[str, ...]]:
    for button in _listed(made, "button"):
        below = _listed(button, "sub_button")
        yield ("", str(button.get("name", ""))) if below else _line(button)
        yield from (_line(one) for one in below)


def _line(button: Json) -> tuple[str, ...]:
    return tuple(str(button.get(field, "")) for field in ("type", "name", "key", "url"))


def _listed(holder: Json, name: str) -> list[Json]:
    found = holder.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
