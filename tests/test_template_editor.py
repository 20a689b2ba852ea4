"""The template of a third party's package: installed without a network, listed, run both ways; its own test passes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sparkle_bench.records import edit_from_json
from tests import cli
from tests.makers import write_benchmark

TEMPLATE = Path(__file__).with_name("template_editor")


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the template, as a third party would begin with."""
    folder = tmp_path_factory.mktemp("third-party") / "template-editor"
    shutil.copytree(TEMPLATE, folder, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    return folder


@pytest.fixture(scope="module")
def installed(copied: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which `pip install` put it; nothing is asked of the network."""
    folder = tmp_path_factory.mktemp("site")
    options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(folder), str(copied)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder with a benchmark of one sample a theme."""
    folder = tmp_path_factory.mktemp("user")
    write_benchmark(folder / "data" / "Sparkle-Bench", samples_per_theme=1, themes=["time", "style"])
    return folder


def listed(folder: Path, name: str, *, path: Path | None = None) -> dict[str, object]:
    done = cli.run("models", name, "--json", cwd=folder, PYTHONPATH=str(path or ""))
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def check_edits(folder: Path, model: str) -> None:
    """Two good edits of 9 frames stand on record, with what they took and what is declared."""
    result = folder / "results" / model
    edits = [edit_from_json(json.loads(line)) for line in (result / "edits.jsonl").read_text().splitlines()]
    assert len(edits) == 2
    for edit in edits:
        assert edit.probe is not None
        assert edit.effort is not None
        assert (edit.probe.frames, edit.effort.aligned) == (9, True)
        assert edit.effort.seconds is not None
    run = json.loads((result / "run.json").read_text())
    assert run["declared"]["model"]["name"] == "Night"
    assert run["editor"]["options"]


def test_once_installed_it_is_listed_ready_with_what_it_declares(installed: Path, place: Path) -> None:
    found = listed(place, "night", path=installed)
    assert (found["kind"], found["ready"], found["license"], found["track"]) == (
        "entry point", True, "Apache-2.0", "instruction",
    )  # fmt: skip
    names = [
        line.split()[0] for line in cli.run("models", cwd=place, PYTHONPATH=str(installed)).stdout.splitlines() if line
    ]
    assert "night" in names
    assert "night" not in cli.run("models", cwd=place).stdout


def test_it_edits_by_the_name_of_its_entry_point(installed: Path, place: Path) -> None:
    done = cli.run("edit", "--model", "night", "--option", "darkness=0.7", cwd=place, PYTHONPATH=str(installed))
    assert done.returncode == 0, done.stdout + done.stderr
    check_edits(place, "night")


def test_it_edits_by_its_address_without_being_installed(copied: Path, place: Path) -> None:
    address = "template_editor.night:Night"
    done = cli.run("edit", "--model", address, "--name", "address", cwd=place, PYTHONPATH=str(copied))
    assert done.returncode == 0, done.stdout + done.stderr
    check_edits(place, "address")


def test_a_wrong_option_is_told_at_once(installed: Path, place: Path) -> None:
    done = cli.run("edit", "--model", "night", "--option", "darkness=7", cwd=place, PYTHONPATH=str(installed))
    assert (done.returncode, done.stderr) == (1, "error: option darkness=7 is not between 0 and 1\n")


def test_it_edits_as_a_program_that_a_file_describes(copied: Path, place: Path) -> None:
    preset = str(copied / "program.toml")
    found = listed(place, preset)
    assert found["broken"] is None, found["broken"]
    assert [lack["what"] for lack in found["missing"]] == ["no checkout"]  # type: ignore[attr-defined]
    options = ["--option", f"checkout={copied}", "--option", f"python={sys.executable}"]
    done = cli.run("edit", "--model", preset, *options, cwd=place)
    assert done.returncode == 0, done.stdout + done.stderr
    check_edits(place, "program")


def test_its_own_test_passes(copied: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(copied)]
    environment = {**os.environ, "PYTHONPATH": str(copied)}
    done = subprocess.run(
        command, cwd=copied, env=environment, capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout
