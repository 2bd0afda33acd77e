"""What /metrics shows."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

EVENTS = Counter("banzhang_events", "Events received", ["platform", "kind"])
LAST_EVENT = Gauge(
    "banzhang_last_event_timestamp_seconds", "When a platform last brought something", ["platform"]
)
SENT = Counter("banzhang_messages", "Messages by how sending them ended", ["platform", "outcome"])
CALLS = Gauge(
    "banzhang_platform_calls_this_month",
    "Calls of a platform in its calendar's month, where it counts them",
    ["platform", "kind"],
)
TIMERS_FIRED = Counter("banzhang_timers_fired", "Timers that fired", ["kind"])
TIMERS_FAILED = Counter("banzhang_timers_failed", "Timers whose function failed", ["kind"])
TIMERS_LATE = Histogram(
    "banzhang_timer_lateness_seconds",
    "How long after its time a timer fired",
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 60, 600),
)
LAST_TICK_AGE = Gauge(
    "banzhang_last_tick_age_seconds", "Seconds since the timers were last looked at"
)
HTTP = Counter(
    "banzhang_http_requests", "Requests from platforms by status", ["platform", "status"]
)
