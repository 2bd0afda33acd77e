"""Long lists a page at a time: with buttons to turn it, or a number behind the command."""

from __future__ import annotations

from dataclasses import dataclass

from bot.commands import Request
from bot.messages import Answer, Button, Card, Refused, Words, text


@dataclass(frozen=True, slots=True)
class Paging:
    """Which page of how many; both count from 1."""

    page: int
    pages: int
    size: int

    @property
    def start(self) -> int:
        """How many entries stand on the pages before."""
        return (self.page - 1) * self.size

    @property
    def end(self) -> int:
        """Where the next page begins."""
        return self.page * self.size


def paging(request: Request, count: int, size: int) -> Paging:
    """The page that the argument `page` asks for, else the first. Raises Refused."""
    pages = max(1, -(-count // size))
    typed = request.words("page")
    if not typed:
        return Paging(1, pages, size)
    if not typed.isdecimal() or not 1 <= int(typed[:9]) <= pages:
        raise Refused("paging.no_page", field="page", typed=typed[:20], pages=pages)
    return Paging(int(typed), pages, size)


def paged(words: Words, here: Paging, command: str, arguments: dict[str, str]) -> Answer:
    """A list as an answer; `command` with `arguments` and a page shows another one."""
    if here.pages == 1:
        return Answer(words=words)
    turns = [("previous", here.page - 1), ("next", here.page + 1)]
    buttons = tuple(
        Button(
            label=text(f"paging.{name}"),
            command=command,
            arguments={**arguments, "page": str(page)},
        )
        for name, page in turns
        if 1 <= page <= here.pages
    )
    title = text("paging.page", page=here.page, pages=here.pages)
    return Answer(words=words, card=Card(title=title, buttons=buttons))
