"""Where skips are forbidden, each kind of skip fails the run and says why."""

from __future__ import annotations

import pytest

from tests import no_skips

pytest_plugins = ["pytester"]

SKIPS = """
import pytest

@pytest.mark.skip("by mark")
def test_mark(): pass

def test_call(): pytest.skip("by call")

@pytest.fixture
def missing(): pytest.skip("by fixture")

def test_fixture(missing): pass

@pytest.mark.xfail
def test_expected(): assert False

def test_passes(): pass
"""
MODULE = "import pytest; pytest.skip('by module', allow_module_level=True)"
REASONS = ["by mark", "by call", "by fixture", "by module"]


def run(pytester: pytest.Pytester, **files: str) -> pytest.RunResult:
    pytester.makepyfile(**files)
    # Without what else is installed: a run in this process reads it all anew.
    without = [f"-pno:{name}" for name in ("asyncio", "cov", "xdist", "hypothesispytest")]
    options = [*without, "--continue-on-collection-errors"]
    return pytester.runpytest_inprocess(*options, plugins=[no_skips])


def test_every_kind_of_skip_fails_the_run(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(no_skips.VARIABLE, "1")
    result = run(pytester, test_skips=SKIPS, test_module=MODULE)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    # An expected failure is no skip.
    result.assert_outcomes(passed=1, xfailed=1, failed=1, errors=3)
    for reason in REASONS:
        result.stdout.fnmatch_lines([f"test_*: skipped, which {no_skips.VARIABLE}=1 *{reason}*"])


def test_elsewhere_a_skip_is_a_skip(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(no_skips.VARIABLE, raising=False)
    result = run(pytester, test_skips=SKIPS, test_module=MODULE)
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(passed=1, xfailed=1, skipped=4)
