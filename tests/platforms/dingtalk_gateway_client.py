"""The vendor's own client, dingtalk-stream, as a program that tells what comes to it.

    DINGTALK_OPENAPI_ENDPOINT=http://… python -m tests.platforms.dingtalk_gateway_client id secret

It reads its endpoint while it is imported and cannot be stopped, so it has a process of its own.
stdout: a JSON array a line, [word, …]. stdin: a command a line; its end is the program's end.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import sys
import time
from typing import Any

# It ships no types.
sdk: Any = importlib.import_module("dingtalk_stream")
card_callback: Any = importlib.import_module("dingtalk_stream.card_callback")

CARD_ANSWER = {
    "cardUpdateOptions": {"updateCardDataByKey": True, "updatePrivateDataByKey": True},
    "cardData": {"cardParamMap": {"status": "done"}},
    "userPrivateData": {"cardParamMap": {}},
}


def say(*words: Any) -> None:
    print(json.dumps(words, ensure_ascii=False), flush=True)


class Program:
    def __init__(self, client_id: str, client_secret: str) -> None:
        self.is_free = asyncio.Event()
        self.is_free.set()
        self.lag = 0.0
        self.client = sdk.DingTalkStreamClient(sdk.Credential(client_id, client_secret))
        for topic, process in (
            (sdk.ChatbotMessage.TOPIC, self.message),
            (card_callback.Card_Callback_Router_Topic, self.card),
        ):
            handler = sdk.CallbackHandler()
            handler.process = process
            self.client.register_callback_handler(topic, handler)
        events = sdk.EventHandler()
        events.process = self.event
        self.client.register_all_event_handler(events)

    async def message(self, frame: Any) -> tuple[int, str]:
        said = sdk.ChatbotMessage.from_dict(frame.data)
        say("message", said.message_id, said.sender_staff_id, said.get_text_list())
        await self.is_free.wait()
        return sdk.AckMessage.STATUS_OK, "OK"

    async def card(self, frame: Any) -> tuple[int, Any]:
        press = card_callback.CardCallbackMessage.from_dict(frame.data)
        say("card", press.card_instance_id, press.user_id, press.content)
        return sdk.AckMessage.STATUS_OK, CARD_ANSWER

    async def event(self, frame: Any) -> tuple[int, str]:
        say("event", frame.headers.event_type, frame.headers.event_id, frame.data)
        return sdk.AckMessage.STATUS_OK, "OK"

    async def watch(self) -> None:
        """How long the loop was kept from anything else."""
        while True:
            began = time.monotonic()
            await asyncio.sleep(0.01)
            self.lag = max(self.lag, time.monotonic() - began)

    async def obey(self, started: asyncio.Task[None]) -> None:
        while command := (await asyncio.to_thread(sys.stdin.readline)).strip():
            if command == "hold":
                self.is_free.clear()
            elif command == "release":
                self.is_free.set()
            elif command == "cancel":
                started.cancel()
                await asyncio.wait([started], timeout=0.3)
            say(command, self.lag, started.done())


async def main(client_id: str, client_secret: str) -> None:
    program = Program(client_id, client_secret)
    watch = asyncio.create_task(program.watch())
    # The first look at the clock comes before the client has the loop.
    await asyncio.sleep(0)
    await program.obey(asyncio.create_task(program.client.start()))
    watch.cancel()
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
