"""The vendor's own client, dingtalk-stream, as a program that calls the HTTP API.

    DINGTALK_OPENAPI_ENDPOINT=http://… python -m tests.platforms.dingtalk_api_client id secret

It reads its endpoint while it is imported, so it has a process of its own. stdin: a JSON array of
steps, [name, [argument, …], {name: argument, …}]; stdout: a JSON array of what they gave.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from typing import Any

# It ships no types.
sdk: Any = importlib.import_module("dingtalk_stream")
card_callback: Any = importlib.import_module("dingtalk_stream.card_callback")


class Program:
    def __init__(self, client_id: str, client_secret: str) -> None:
        self.client = sdk.DingTalkStreamClient(sdk.Credential(client_id, client_secret))
        self.handler = sdk.ChatbotHandler()
        self.handler.dingtalk_client = self.client

    def token(self) -> Any:
        return self.client.get_access_token()

    def read_message(self, payload: dict[str, Any]) -> Any:
        """What the client makes of a message, and gives back of it."""
        said = sdk.ChatbotMessage.from_dict(payload)
        people = [[one.dingtalk_id, one.staff_id] for one in said.at_users]
        return [said.get_text_list(), people, said.to_dict()]

    def read_press(self, payload: dict[str, Any]) -> Any:
        return card_callback.CardCallbackMessage.from_dict(payload).to_dict()

    def text(self, payload: dict[str, Any], text: str) -> Any:
        return self.handler.reply_text(text, sdk.ChatbotMessage.from_dict(payload))

    def markdown(self, payload: dict[str, Any], title: str, text: str) -> Any:
        said = sdk.ChatbotMessage.from_dict(payload)
        return self.handler.reply_markdown(title, text, said)

    def send_card(self, payload: dict[str, Any], template_id: str, data: Any, **more: Any) -> Any:
        """In two steps: created, then delivered."""
        return self._replier(payload).create_and_send_card(template_id, data, **more)

    def send_card_async(self, payload: dict[str, Any], template_id: str, data: Any) -> Any:
        return asyncio.run(self._replier(payload).async_create_and_send_card(template_id, data))

    def deliver_card(
        self, payload: dict[str, Any], template_id: str, data: Any, **more: Any
    ) -> Any:
        """In one step."""
        return self._replier(payload).create_and_deliver_card(template_id, data, **more)

    def put_card(self, payload: dict[str, Any], name: str, data: Any, **more: Any) -> Any:
        return self._replier(payload).put_card_data(name, data, **more)

    def _replier(self, payload: dict[str, Any]) -> Any:
        return sdk.CardReplier(self.client, sdk.ChatbotMessage.from_dict(payload))


def main() -> None:
    program = Program(*sys.argv[1:3])
    given: list[Any] = []
    for name, arguments, more in json.load(sys.stdin):
        # A number is what an earlier step gave.
        known = [given[one] if isinstance(one, int) else one for one in arguments]
        given.append(getattr(program, name)(*known, **more))
    print(json.dumps(given, ensure_ascii=False))


if __name__ == "__main__":
    main()
