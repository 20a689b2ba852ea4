"""The whole road with real pipelines: real clips are edited by tiny random models, written, read again, judged, on a board.

Needs `SPARKLE_EDITORS_PYTHON`, the interpreter of an environment with torch and diffusers, and the real videos of
shared/data. The command line runs here, the models in worker processes there.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sparkle_bench import benchmark, video
from sparkle_bench.records import Edit, Sample
from sparkle_bench.store import Store
from tests import cli

pytestmark = pytest.mark.editors
HERE = Path(__file__).parent
COUNT = 2


@pytest.fixture(scope="module")
def python() -> str:
    """The interpreter that has the pipelines."""
    address = os.environ.get("SPARKLE_EDITORS_PYTHON")
    if not address:
        pytest.skip(
            "left out: needs SPARKLE_EDITORS_PYTHON, the interpreter of an environment with torch and diffusers"
        )
    return address


@pytest.fixture(scope="module")
def samples(mini: Path) -> list[Sample]:
    """The real clips that are edited."""
    return list(benchmark.load(mini).samples[:COUNT])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, python: str, mini: Path, samples: list[Sample]) -> Path:
    """A user's folder in which two models have edited the first clips and were judged by rules from signals."""
    folder = tmp_path_factory.mktemp("road")
    subprocess.run([python, str(HERE / "tiny_models.py"), str(folder)], check=True, capture_output=True, timeout=240)
    for sample in samples:
        write_mask(folder / "masks" / f"{sample.id}.mp4", sample)
    small = ("--option", "size=96x64", "--option", "frames=17", "--option", "steps=2")
    common = ("--bench", mini, "--limit", str(COUNT), "--python", python, "--option", "device=cpu", *small)
    vace = ("--model-path", folder / "vace", "--option", f"masks={folder / 'masks'}")
    for words in (("lucy-edit", "--model-path", folder / "lucy"), ("wan-vace", *vace)):
        done = cli.run("eval", "--model", *words, *common, "--judge", "signals", cwd=folder, timeout=400)
        assert done.returncode == 0, done.stderr
        assert f"scored {COUNT} of" in done.stdout
    return folder


def write_mask(path: Path, sample: Sample) -> None:
    """Write a mask of a clip's size: white all around, black in the middle."""
    facts = video.probe(sample.source_path)
    picture = np.full((facts.height, facts.width, 3), 255, np.uint8)
    picture[facts.height // 4 : -facts.height // 4, facts.width // 4 : -facts.width // 4] = 0
    path.parent.mkdir(exist_ok=True)
    video.write(path, (picture for _ in range(facts.frames)), fps=facts.fps)


def edits(place: Path, model: str) -> Mapping[str, Edit]:
    return Store(root=place).edits(model)


def board(place: Path) -> dict[str, dict[str, str]]:
    (file,) = place.glob("leaderboards/sparkle/*/leaderboard.csv")
    with file.open(encoding="utf-8", newline="") as lines:
        return {row["model"]: row for row in csv.DictReader(lines)}


@pytest.mark.parametrize("model", ["lucy-edit", "wan-vace"])
def test_real_clips_are_edited_frame_by_frame_at_the_sources_rate(
    place: Path, samples: list[Sample], model: str
) -> None:
    made = edits(place, model)
    assert set(made) == {sample.id for sample in samples}
    for sample in samples:
        probe = video.probe(Store(root=place).video_path(model, sample))
        assert probe == made[sample.id].probe
        assert (probe.frames, probe.width, probe.height) == (17, 96, 64)
        assert probe.fps == video.probe(sample.source_path).fps
        effort = made[sample.id].effort
        assert effort is not None
        assert (effort.frames, effort.aligned, effort.gpu_memory) == (17, True, None)
        assert effort.seconds
        assert effort.host_memory


def test_how_they_were_made_is_on_record(place: Path, python: str) -> None:
    code = "import torch, diffusers, json; print(json.dumps([torch.__version__, diffusers.__version__]))"
    done = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True, timeout=120)
    torch, diffusers = json.loads(done.stdout.splitlines()[-1])
    run: dict[str, Any] = json.loads((place / "results" / "lucy-edit" / "run.json").read_text(encoding="utf-8"))
    options = run["editor"]["options"]
    assert (options["versions"]["torch"], options["versions"]["diffusers"]) == (torch, diffusers)
    assert (options["device"], options["seed"], options["steps"], options["guidance"]) == ("cpu", 0, 2, 5.0)
    assert options["weights"]["name"] == "lucy"
    assert len(options["weights"]["sha256"]) == 64
    assert str(place) not in json.dumps(run)


def test_both_are_judged_and_on_the_board_each_in_its_track(place: Path) -> None:
    rows = board(place)
    assert (rows["lucy-edit"]["track"], rows["wan-vace"]["track"]) == ("instruction", "masks")
    for row in rows.values():
        assert float(row["seconds_per_clip"]) > 0
        assert float(row["frames_per_second"]) > 0
        assert (row["gpu_memory_gb"], row["aligned"]) == ("", "1.0000")


def test_what_is_done_is_not_done_again_and_no_model_is_loaded_for_it(place: Path, mini: Path, python: str) -> None:
    before = (place / "results" / "lucy-edit" / "edits.jsonl").read_bytes()
    done = cli.run(
        "edit", "--model", "lucy-edit", "--model-path", place / "lucy", "--bench", mini, "--limit", str(COUNT),
        "--python", python, "--option", "device=cpu", "--option", "size=96x64", "--option", "frames=17",
        "--option", "steps=2", cwd=place,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Loading" not in done.stderr
    assert (place / "results" / "lucy-edit" / "edits.jsonl").read_bytes() == before
