"""How often somebody may be written to: kept by ourselves, for WeCom says nothing.

What one member gets too often from an app is answered with success and never shown:
https://developer.work.weixin.qq.com/document/path/90454
"""

from __future__ import annotations

from adapters.windows import Limit

APP_TO_MEMBER = Limit(30, 1000)
"""https://developer.work.weixin.qq.com/document/path/90454"""
BOT_TO_CHAT = Limit(30, 1000)
"""Answers and messages together: https://developer.work.weixin.qq.com/document/path/101463"""
WEBHOOK = Limit(20)
"""https://developer.work.weixin.qq.com/document/path/99110"""
