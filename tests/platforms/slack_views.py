"""Modals and home tabs: opened by a ticket, replaced as a whole, stacked three high."""

from __future__ import annotations

import json
from typing import Any

from tests.platforms import slack_blocks
from tests.platforms.slack_args import decoded, need
from tests.platforms.slack_model import Json, RefusalError, View, Workspace, number_blocks


class Views:
    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    # https://docs.slack.dev/reference/methods/views.open
    def open(self, args: Json) -> Json:
        content = self._content(args, "modal")
        trigger = self.workspace.exchange_trigger(need(args, "trigger_id", "invalid_arguments"))
        return self._shown(View(self.workspace.new_id("V"), trigger.user, content, "", ""))

    # https://docs.slack.dev/reference/methods/views.push
    def push_on_top(self, args: Json) -> Json:
        content = self._content(args, "modal")
        trigger = self.workspace.exchange_trigger(need(args, "trigger_id", "invalid_arguments"))
        stack = [v for v in self.workspace.views if v.user == trigger.user and v.state == "open"]
        if not stack:
            raise RefusalError("not_found")
        return {"view": self.push(stack[-1], content)}

    def push(self, under: View, content: Json) -> Json:
        same = [v for v in self.workspace.views if v.root_id == under.root_id and v.state == "open"]
        if len(same) >= 3:
            raise RefusalError("push_limit_reached")
        made = View(self.workspace.new_id("V"), under.user, content, "", under.root_id, under.id)
        found: Json = self._shown(made)["view"]
        return found

    # https://docs.slack.dev/reference/methods/views.update
    def update(self, args: Json) -> Json:
        every = [*self.workspace.views, *self.workspace.homes.values()]
        for view in every:
            external = view.content.get("external_id")
            if view.id == args.get("view_id") or (external and external == args.get("external_id")):
                if view.state != "open":
                    break
                if args.get("hash") not in (None, view.hash):
                    raise RefusalError("hash_conflict")
                return {"view": self.replace(view, self._content(args, view.content["type"]))}
        raise RefusalError("not_found")

    # https://docs.slack.dev/reference/methods/views.publish
    def publish(self, args: Json) -> Json:
        user = self.workspace.user(need(args, "user_id", "invalid_arguments"))
        content = self._content(args, "home")
        old = self.workspace.homes.get(user.id)
        if old is not None and args.get("hash") not in (None, old.hash):
            raise RefusalError("hash_conflict")
        if old is not None:
            return {"view": self.replace(old, content)}
        return self._shown(View(self.workspace.new_id("V"), user.id, content, "", ""))

    def replace(self, view: View, content: Json) -> Json:
        view.content = content
        view.errors = {}
        number_blocks(view.content["blocks"])
        view.hash = f"{self.workspace.next_ts()[:10]}.{self.workspace.new_id('h')}"
        self.workspace.changed.notify_all()
        return self.as_json(view)

    def _shown(self, view: View) -> Json:
        view.root_id = view.root_id or view.id
        if view.content["type"] == "home":
            self.workspace.homes[view.user] = view
        else:
            self.workspace.views.append(view)
        return {"view": self.replace(view, view.content)}

    def as_json(self, view: View, values: Json | None = None) -> Json:
        w = self.workspace
        defaults = {"private_metadata": "", "callback_id": "", "external_id": "", "close": None}
        return {
            **defaults,
            **view.content,
            "id": view.id,
            "team_id": w.team_id,
            "state": {"values": values or {}},
            "hash": view.hash,
            "root_view_id": view.root_id,
            "previous_view_id": view.previous_id,
            "app_id": w.app_id,
            "app_installed_team_id": w.team_id,
            "bot_id": w.bot_id,
        }

    def checked(self, content: Any, kind: str) -> Json:
        problems = slack_blocks.problems_in_view(content)
        if not problems and content["type"] != kind:
            problems = ["must be a valid enum value [json-pointer:/view/type]"]
        if problems:
            raise RefusalError("invalid_arguments", problems)
        if len(json.dumps(content)) > 250_000:
            raise RefusalError("view_too_large")
        found: Json = json.loads(json.dumps(content))
        return found

    def _content(self, args: Json, kind: str) -> Json:
        if not args.get("view"):
            raise RefusalError("invalid_arguments", ["missing required field: view"])
        return self.checked(decoded(args, "view"), kind)
