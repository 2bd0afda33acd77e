"""Who will read a message: in which language and zone, and which account is meant by a mention."""

from __future__ import annotations

from bot.messages import Address, Card, CardField, Lines, Mention, Page, Param, Text, Words
from storage.people import People
from storage.tables.people import Person
from storage.tables.teams import Team
from storage.teams import Teams


class Recipients:
    """Readers of messages, and the people named in them."""

    def __init__(self, people: People, teams: Teams) -> None:
        self._people = people
        self._teams = teams

    def reads(self, who: Person | Team) -> tuple[str, str]:
        """Their language and zone, the team's where they have none of their own."""
        if isinstance(who, Team):
            return who.locale, who.zone
        team = self._teams.of_person(who)
        return who.locale or team.locale, who.zone or team.zone

    def reads_at(self, address: Address) -> tuple[str, str]:
        """Language and zone of whoever reads at an address."""
        if address.kind != "group" or address.only_for is not None:
            person = self._people.find(address.platform, address.only_for or address.id)
            if person is not None:
                return self.reads(person)
        team = self._teams.bound(address.platform, address.id) or self._teams.first()
        return self.reads(team)

    def _words(self, words: Words, platform: str) -> Words:
        """The same words with each mention's account on the platform they go to."""
        if isinstance(words, Lines):
            parts = tuple(self._words(part, platform) for part in words.parts)
            return words.model_copy(update={"parts": parts})
        params = {name: self._param(value, platform) for name, value in words.params.items()}
        return words.model_copy(update={"params": params})

    def _param(self, value: Param, platform: str) -> Param:
        if isinstance(value, Mention):
            user_id = self._people.account(value.person_id, platform)
            return value.model_copy(update={"user_id": user_id})
        if isinstance(value, Text | Lines):
            return self._words(value, platform)
        return value

    def _card(self, card: Card, platform: str) -> Card:
        fields = tuple(
            CardField(label=one.label, value=self._words(one.value, platform))
            for one in card.fields
        )
        body = tuple(self._words(part, platform) for part in card.body)
        title = self._words(card.title, platform)
        return card.model_copy(update={"title": title, "body": body, "fields": fields})

    def for_platform(
        self, words: Words | None, card: Card | None, platform: str
    ) -> tuple[Words | None, Card | None]:
        """Words and card with each mention's account on the platform they go to."""
        return (
            words and self._words(words, platform),
            card and self._card(card, platform),
        )

    def page(self, page: Page, platform: str) -> Page:
        """The same for a page."""
        cards = tuple(self._card(one, platform) for one in page.cards)
        return page.model_copy(update={"cards": cards})
