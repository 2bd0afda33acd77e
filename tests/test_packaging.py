"""The wheel: everything the bot reads while it runs is inside, and nothing of the tests."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("bot", "adapters", "handlers", "storage", "sop_scripts")


def run(*arguments: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's content, in a folder far from the checkout."""
    made, folder = tmp_path_factory.mktemp("wheel"), tmp_path_factory.mktemp("installed")
    # Not from an isolated environment, which would be fetched from the network.
    run("-m", "build", "--wheel", "--no-isolation", "--outdir", str(made), str(ROOT), folder=made)
    (wheel,) = made.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_the_wheel_holds_all_of_the_packages_and_no_more(unpacked: Path) -> None:
    shipped = {one.relative_to(unpacked) for one in unpacked.rglob("*") if one.is_file()}
    ours = {
        one.relative_to(ROOT)
        for package in PACKAGES
        for one in (ROOT / package).rglob("*")
        if one.is_file() and "__pycache__" not in one.parts
    }
    assert {one for one in shipped if not one.parts[0].endswith(".dist-info")} == ours
    endings = {one.suffix for one in ours}
    assert endings >= {".po", ".html", ".css", ".js", ".yaml", ".mako", ".typed"}


def test_what_is_installed_runs_without_the_checkout(unpacked: Path) -> None:
    program = "import bot.__main__ as m, sys; print(m.__file__); sys.argv[0] = 'banzhang'; m.main()"
    said = run("-c", program, "sop", "check", folder=unpacked)
    assert said.startswith(str(unpacked))
    assert "user-inquiry" in said
    assert "newest shape" in run("-m", "bot", "migrate", folder=unpacked)
    assert (unpacked / "banzhang.db").stat().st_size > 0
    words = "from bot.words import catalogue, warm_up; warm_up(); print(catalogue('en').locale)"
    assert run("-c", words, folder=unpacked) == "en\n"
    page = (
        "from adapters.sandbox import page; print(*sorted(p.name for p in page.FOLDER.iterdir()))"
    )
    assert run("-c", page, folder=unpacked) == "static templates\n"
