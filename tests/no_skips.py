"""With BANZHANG_NO_SKIPS=1 a skipped test is a failed one: `pytest -p tests.no_skips`.

A skip says that something is missing where the tests run. On a developer's machine that is news;
where the verdict counts, it is a hole in the verdict.
"""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

VARIABLE = "BANZHANG_NO_SKIPS"
FORBIDDEN = f"skipped, which {VARIABLE}=1 forbids: "


def _forbid(report: pytest.TestReport | pytest.CollectReport) -> None:
    expected = hasattr(report, "wasxfail")
    if os.environ.get(VARIABLE) != "1" or not report.skipped or expected:
        return
    why = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
    report.outcome = "failed"
    report.longrepr = FORBIDDEN + why


# First, so as to see the report as all others have left it.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Judge a test that was skipped."""
    report = yield
    _forbid(report)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Judge a module that was skipped as a whole."""
    report = yield
    _forbid(report)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say it once more where nobody overlooks it."""
    reports = [
        *terminalreporter.stats.get("failed", ()),
        *terminalreporter.stats.get("error", ()),
    ]
    forbidden = [one for one in reports if one.longreprtext.startswith(FORBIDDEN)]
    for report in forbidden:
        terminalreporter.write_line(f"{report.nodeid}: {report.longreprtext}", red=True)
