"""Files: asked for, uploaded, shared — three steps.

https://docs.slack.dev/messaging/working-with-files
"""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Callable

from tests.platforms.slack_args import decoded, need
from tests.platforms.slack_model import Json, Message, RefusalError
from tests.platforms.slack_places import Places


class Files:
    def __init__(self, places: Places, origin: Callable[[], str]) -> None:
        self.places = places
        self.workspace = places.workspace
        self.origin = origin

    # https://docs.slack.dev/reference/methods/files.getUploadURLExternal
    def get_upload_url(self, args: Json) -> Json:
        name = need(args, "filename", "invalid_arguments")
        file_id = self.workspace.new_id("F")
        length = int(args.get("length") or 0)
        if length <= 0:
            raise RefusalError(
                "invalid_arguments", ["must be greater than 0 [json-pointer:/length]"]
            )
        self.workspace.files[file_id] = {
            "id": file_id,
            "name": name,
            "title": name,
            "mimetype": mimetypes.guess_type(name)[0] or "application/octet-stream",
            "length": length,
        }
        return {"upload_url": f"{self.origin()}/upload/{file_id}", "file_id": file_id}

    def take(self, file_id: str, content: bytes) -> bool:
        """The upload itself, a plain POST to the address that was given out."""
        with self.workspace.changed:
            file = self.workspace.files.get(file_id)
            if file is None or file["length"] != len(content):
                return False
            file["content"] = content
            return True

    # https://docs.slack.dev/reference/methods/files.completeUploadExternal
    def complete_upload(self, args: Json) -> Json:
        wanted = decoded(args, "files") or []
        files = [self.workspace.files.get(str(one.get("id")), {}) for one in wanted]
        if not files or not all("content" in file for file in files):
            raise RefusalError("file_not_found")
        places = _places(args)
        for place in places:
            if not re.match(r"[CGDZ][A-Z0-9]", place):
                # Slack's own words, https://github.com/slackapi/bolt-js/issues/2115; the length is
                # left out, for the ids of tests are short.
                words = "input must match regex pattern: ^[CGDZ][A-Z0-9]{8,}$"
                raise RefusalError("invalid_arguments", [f"{words} [json-pointer:/channel_id]"])
        channels = [self.places.destination({"channel": place}) for place in places]
        for file, one in zip(files, wanted, strict=True):
            file["title"] = one.get("title") or file["name"]
        for channel in channels:
            self._share(channel.id, files, args)
        return {"files": [{"id": file["id"], "title": file["title"]} for file in files]}

    def _share(self, channel: str, files: list[Json], args: Json) -> None:
        w = self.workspace
        shown = [{n: file[n] for n in ("id", "name", "title", "mimetype")} for file in files]
        w.add_message(
            Message(
                channel=channel,
                ts=w.next_ts(),
                user=w.bot_user,
                bot_id=w.bot_id,
                text=str(args.get("initial_comment") or ""),
                thread_ts=args.get("thread_ts"),
                args=args,
                files=shown,
            )
        )


def _places(args: Json) -> list[str]:
    several = str(args.get("channels") or "").split(",")
    return [place for place in (str(args.get("channel_id") or ""), *several) if place]
