"""The HTTP APIs of WeCom and DingTalk: what they share is tested once, before both stand-ins."""
