"""Programs of other projects: every built-in preset against a stand-in with the project's flags, and all that goes wrong."""

from __future__ import annotations

import glob
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from sparkle_bench import benchmark, video
from sparkle_bench.editors import preset as presets
from sparkle_bench.editors.program import Program, batches, spec
from sparkle_bench.errors import EditorError, MachineError, OutOfMemory, SparkleError, VideoError
from sparkle_bench.records import Effort, Probe, Sample
from sparkle_bench.video.frames import frames
from tests import cli, makers
from tests.test_editors import gone

PROGRAMS = Path(__file__).parent / "programs"
SIZE = (96, 64)
COUNT = 41


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    """Eight samples whose sources have 41 frames of 96x64, at 16 a second."""
    root = makers.write_benchmark(tmp_path_factory.mktemp("bench"), samples_per_theme=2, frames=COUNT)
    return list(benchmark.load(root).samples)


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go; all that a call needs must be gone after it, but for locks."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


@pytest.fixture
def sample(samples: list[Sample]) -> Sample:
    """One of them."""
    return samples[0]


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[dict[str, Any]]]:
    """Returns what the stand-ins noted."""
    path = tmp_path / "journal.jsonl"
    monkeypatch.setenv("STANDIN_JOURNAL", str(path))
    return lambda: [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def program(preset: presets.Preset, **options: Any) -> Program:
    """Build a preset's program with options as a command line gives them, but for their kinds."""
    changed, rest = presets.with_options(preset, options)
    return Program(preset=changed, **rest)


def own(**section: Any) -> presets.Preset:
    """A preset of one's own: the section `[program]`, and others by their names with an underscore."""
    others = {name[1:]: section.pop(name) for name in list(section) if name.startswith("_")}
    data = {"kind": "program", "fit": {"frames": "any", "most": 200, "multiple": 2}, **others, "program": section}
    return presets.from_data("mine", {name: value for name, value in data.items() if value is not None})


def script(folder: Path, code: str, name: str = "script.py") -> Path:
    """Write a small program and return its path."""
    (folder / name).write_text(textwrap.dedent(code), encoding="utf-8")
    return folder / name


def all_at_once(editor: Program, wanted: Sequence[Sample], folder: Path) -> list[Effort | BaseException]:
    """Edit samples from as many threads, and return what came of each."""
    results: dict[str, Effort | BaseException] = {}

    def work(sample: Sample) -> None:
        try:
            results[sample.id] = editor.edit(sample, folder / f"{sample.id}.mp4")
        except BaseException as error:
            results[sample.id] = error

    threads = [threading.Thread(target=work, args=(sample,), daemon=True) for sample in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive()
    return [results[sample.id] for sample in wanted]


def turned(source: Path, edit: Path, *, count: int) -> None:
    """Check that frame i of an edit is frame i of the source, turned round."""
    before, after = list(frames(source))[:count], list(frames(edit))
    assert len(after) == count
    levels = [(255 - float(b[..., 2].mean()), float(a[..., 2].mean())) for b, a in zip(before, after, strict=True)]
    assert all(abs(expected - found) < 5 for expected, found in levels), levels
    moved = {round(expected) for expected, _ in levels}
    assert len(moved) > count // 3, "the source does not tell its frames apart"


# -- the built-in presets ----------------------------------------------------------------------------------------------

OMNI = {"torchrun.py": "torch/distributed/run.py", "generate_omni_v2v.py": "tools/inference/generate_omni_v2v.py"}
LOOM = {"launch.py": "accelerate/commands/launch.py", "generate.py": "scripts/inference/generate.py"}
UNIVIDEO = {"film.py": "film.py"} | {
    f"univideo/{name}": name
    for name in (
        "univideo_inference.py", "pipeline_univideo.py", "mllm_encoder.py", "transformer_univideo_hunyuan_video.py",
        "utils.py", "torch.py", "yaml.py", "diffusers/__init__.py", "diffusers/utils.py",
    )
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Case:
    """A project.

    Attributes:
        links: Stand-ins, and where in a checkout they lie.
        files: Files that a checkout has, weights among them, with what is in them.
        options: Options that name some of these.
        small: The size that keeps clips small, for a program that has one of its own.
        size: What a clip of 1280x720 is fitted to without them.
        frames: How many of 81 frames are taken without them.
    """

    links: dict[str, str]
    files: dict[str, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    small: tuple[int, int] | None = None
    size: tuple[int, int] = (832, 480)
    frames: int = 81


CASES: dict[str, Case] = {
    "ditto": Case(
        links={"infer_ditto.py": "inference/infer_ditto.py"},
        files={"lora.safetensors": ""},
        options={"weights": "lora.safetensors"},
        small=SIZE,
        frames=73,
    ),
    "univideo": Case(
        links=UNIVIDEO,
        files={
            "configs/univideo_qwen2p5vl7b_hidden_hunyuanvideo.yaml": json.dumps(
                {
                    "mllm_config": {"mllm_id": "Qwen/Qwen2.5-VL-7B-Instruct", "num_metaqueries": 0},
                    "pipeline_config": {"hunyuan_model_id": "hunyuanvideo-community/HunyuanVideo", "timestep_shift": 7},
                    "transformer_ckpt_path": "ckpts/model.ckpt",
                }
            )
        },
        size=(848, 480),
    ),
    "icve": Case(
        links={"sample_video.py": "sample_video.py"},
        files={"ckpts/note": ""},
    ),
    "insvie": Case(
        links={"sample_video_edit.py": "CogVideo/sat/sample_video_edit.py"},
        files={
            "CogVideo/sat/configs/cogvideox_2b_lora_edit.yaml": "",
            "CogVideo/sat/configs/inference_2b_edit.yaml": "",
            "train_edit/latest": "1",
            "3d-vae.pt": "",
            "t5/config.json": "",
        },
        options={"weights": "train_edit", "vae": "3d-vae.pt", "encoder": "t5"},
        small=SIZE,
        size=(720, 480),
        frames=49,
    ),
    "omni-video-2": Case(
        links=OMNI,
        files={"weights/note": "", "qwen/note": ""},
        options={"weights": "weights", "encoder": "qwen"},
        small=SIZE,
    ),
    "reco": Case(
        links={"inference_reco_single_ref.py": "scripts/inference_reco_single_ref.py"},
        files={"ReCo_ref.ckpt": ""},
        options={"weights": "ReCo_ref.ckpt"},
        small=SIZE,
    ),
    "loomvideo": Case(
        links=LOOM,
        files={"configs/inference/generation.yaml": "", "checkpoints/LoomVideo/gen_model.pth": ""},
    ),
}
PROGRAM_PRESETS = [name for name in presets.names() if getattr(presets.find(name), "kind", None) == "program"]
each_project = pytest.mark.parametrize("name", CASES)


def checkout(folder: Path, case: Case) -> dict[str, Any]:
    """Lay out a project's checkout and return the options that name it and what is in it."""
    for stand_in, place in case.links.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).symlink_to(PROGRAMS / stand_in)
    for file, content in case.files.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(content, encoding="utf-8")
    paths = {name: str(folder / place) for name, place in case.options.items()}
    return {"checkout": folder, "python": Path(sys.executable), **paths}


def found(name: str) -> presets.Preset:
    preset = presets.find(name)
    assert preset is not None
    return preset


def small(name: str) -> presets.Preset:
    """A built-in preset, with small clips for a size of its own: its stand-in is as quick as that."""
    preset, size = found(name), CASES[name].small
    if size is None:
        return preset
    data = {**preset.data, "fit": {**preset.data["fit"], "size": list(size)}}
    return presets.from_data(name, data)


def test_every_program_has_a_stand_in() -> None:
    assert sorted(PROGRAM_PRESETS) == sorted(CASES)


@each_project
def test_a_project_is_called_with_its_own_flags(
    name: str, sample: Sample, tmp_path: Path, said: Callable[[], list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "QUIET_SECONDS", 0.05)
    out = tmp_path / "out.mp4"
    editor = program(small(name), **checkout(tmp_path / "its checkout", CASES[name]))
    effort = editor.edit(sample, out)
    assert video.probe(out) == Probe(frames=COUNT, fps=16.0, width=96, height=64)
    turned(sample.source_path, out, count=COUNT)
    assert [entry["prompt"] for entry in said() if "prompt" in entry] == [sample.instruction]
    assert (effort.frames, effort.aligned) == (COUNT, True)
    assert effort.seconds is not None
    assert effort.seconds > 0
    assert effort.host_memory is not None
    assert effort.host_memory > 20_000_000


@each_project
def test_a_project_is_given_what_it_takes(name: str) -> None:
    fit = found(name).fit
    assert fit is not None
    assert (fit.target(1280, 720), fit.count(81)) == (CASES[name].size, CASES[name].frames)


def test_the_size_of_omni_video_is_one_that_it_knows(
    sample: Sample, tmp_path: Path, said: Callable[[], list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "QUIET_SECONDS", 0.05)
    editor = program(found("omni-video-2"), **checkout(tmp_path / "checkout", CASES["omni-video-2"]), frames="5")
    editor.edit(sample, tmp_path / "out.mp4")
    assert "--size=832*480" in said()[0]["words"]
    assert video.probe(tmp_path / "out.mp4") == Probe(frames=5, fps=16.0, width=832, height=480)


NASTY = {
    "an option": "--prompt=no -x --seed 3",
    "one dash": "-5 degrees outside",
    "quotes": "To the \"old\" town's 'market'",
    "line breaks": "first line\nsecond line\r\n\tthird",
    "braces": "{source} {{out}} {0} {",
    "a shell's words": "$(touch pwned) `touch pwned` $HOME; touch pwned | cat && true",
    "a path": "../../etc/passwd | ref.png: /tmp",
    "globs": "[a-z]* ?",
    "other letters": "夜明け — café 🌅",
    "blanks": "  ",
}


@each_project
@pytest.mark.parametrize("first", ["an option", "one dash", "a path"])
def test_an_instruction_reaches_a_project_as_it_is(
    name: str,
    first: str,
    sample: Sample,
    tmp_path: Path,
    said: Callable[[], list[dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batches, "QUIET_SECONDS", 0.05)
    instruction = " ".join([NASTY[first], *NASTY.values()])
    editor = program(small(name), **checkout(tmp_path / "checkout", CASES[name]), frames="33")
    editor.edit(replace(sample, instruction=instruction), tmp_path / "out.mp4")
    assert [entry["prompt"] for entry in said() if "prompt" in entry] == [instruction]
    assert (tmp_path / "out.mp4").is_file()
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.parametrize("instruction", NASTY.values(), ids=NASTY)
def test_an_instruction_is_one_argument(instruction: str, sample: Sample, tmp_path: Path) -> None:
    note = tmp_path / "note"
    code = "import json, sys; open(sys.argv[1], 'w').write(json.dumps(sys.argv[2:])); sys.exit(1)"
    with pytest.raises(EditorError):
        program(
            own(command=[sys.executable, "-c", code, str(note), "{instruction}", "-p={instruction}", "{out}"])
        ).edit(replace(sample, instruction=instruction), tmp_path / "out.mp4")
    assert json.loads(note.read_text(encoding="utf-8"))[:2] == [instruction, f"-p={instruction}"]


def test_settings_reach_the_pipeline_of_univideo(
    sample: Sample, tmp_path: Path, said: Callable[[], list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "QUIET_SECONDS", 0.05)
    options = checkout(tmp_path / "checkout", CASES["univideo"])
    own_weights = script(tmp_path, "", "mine.ckpt")
    editor = program(found("univideo"), **options, seed=5, steps=3, weights=str(own_weights), encoder="Qwen/other")
    editor.edit(sample, tmp_path / "out.mp4")
    (entry,) = said()
    assert (entry["negative"], entry["seed"]) == ("blurred, overexposed", 5)
    assert entry["settings"] == [3, 7.0, 2.0, "v2v_edit"]
    assert entry["parts"]["weights"] == [str(own_weights), {"blocks.0": 1, "qwen_project_in.ln": 2}]
    assert entry["parts"]["encoder"] == ["Qwen/other"]
    assert entry["parts"]["bridge"] == [3584, 14336, 4096]
    assert [part[1] for part in entry["parts"]["base"]] == ["vae", "scheduler", "transformer"]


def test_settings_reach_the_files_of_insvie(
    sample: Sample, tmp_path: Path, said: Callable[[], list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "QUIET_SECONDS", 0.05)
    options = checkout(tmp_path / "checkout", CASES["insvie"])
    program(small("insvie"), **options, frames="33").edit(sample, tmp_path / "out.mp4")
    first = said()[0]
    assert first["args"]["load"] == options["weights"]
    assert first["vae"] == options["vae"]
    assert first["encoder"] == {"model_dir": options["encoder"], "max_length": 226}
    assert "--seed=0" in first["words"]


def test_a_word_that_is_an_empty_option_is_left_out(
    sample: Sample, tmp_path: Path, said: Callable[[], list[dict[str, Any]]]
) -> None:
    options = checkout(tmp_path / "checkout", CASES["icve"])
    program(found("icve"), **options).edit(sample, tmp_path / "out.mp4")
    program(found("icve"), **options, offload="--use-cpu-offload").edit(sample, tmp_path / "other.mp4")
    assert [entry["offload"] for entry in said()] == [False, True]


# -- several clips in a call -------------------------------------------------------------------------------------------


@pytest.fixture
def omni(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Omni-Video 2's options: clips of 9 frames, five in a call."""
    monkeypatch.setattr(batches, "QUIET_SECONDS", 4.0)
    small = {"size": "96x64", "frames": "9"}
    return {**checkout(tmp_path / "checkout", CASES["omni-video-2"]), **small, "batch": 5, "timeout": 60.0}


Said = Callable[[], list[dict[str, Any]]]


def calls(said: Said) -> list[int]:
    """Return how many clips each call was given."""
    ports = [entry["port"] for entry in said()]
    return [ports.count(port) for port in dict.fromkeys(ports)]


def asked(samples: Sequence[Sample], **instructions: str) -> list[Sample]:
    """Return samples with some instructions changed, by `n1`, `n2` and so on."""
    return [replace(s, instruction=instructions.get(f"n{n}", s.instruction)) for n, s in enumerate(samples, 1)]


def test_one_call_makes_five_clips(samples: list[Sample], tmp_path: Path, omni: dict[str, Any], said: Said) -> None:
    editor = program(found("omni-video-2"), **omni)
    assert editor.at_once == 5
    efforts = all_at_once(editor, samples[:5], tmp_path)
    assert calls(said) == [5]
    for number, sample in enumerate(samples[:5]):
        turned(sample.source_path, tmp_path / f"{sample.id}.mp4", count=9)
        assert isinstance(efforts[number], Effort)
    assert len({effort.seconds for effort in efforts if isinstance(effort, Effort)}) == 1


def test_the_rest_is_a_smaller_call(samples: list[Sample], tmp_path: Path, omni: dict[str, Any], said: Said) -> None:
    all_at_once(program(found("omni-video-2"), **omni), samples[:7], tmp_path)
    assert sorted(calls(said)) == [2, 5]


def test_a_clip_without_a_video_fails_alone(
    samples: list[Sample], tmp_path: Path, omni: dict[str, Any], said: Said
) -> None:
    wanted = asked(samples[:5], n3="SKIP this")
    results = all_at_once(program(found("omni-video-2"), **omni), wanted, tmp_path)
    assert [isinstance(result, Effort) for result in results] == [True, True, False, True, True]
    assert calls(said) == [5]
    assert f"made no video for {wanted[2].id}" in str(results[2])
    assert "Failed to read video, skipping" in str(results[2])
    assert not (tmp_path / f"{wanted[2].id}.mp4").exists()


def test_a_program_that_fails_is_called_again_clip_by_clip(
    samples: list[Sample], tmp_path: Path, omni: dict[str, Any], said: Said
) -> None:
    wanted = asked(samples[:5], n3="CRASH please")
    results = all_at_once(program(found("omni-video-2"), **omni), wanted, tmp_path)
    assert [isinstance(result, Effort) for result in results] == [True, True, False, True, True]
    assert calls(said)[1:] == [1, 1, 1, 1, 1], "one call for all, which fails somewhere, and one for each"
    message = str(results[2])
    assert "the program ended with code 1: RuntimeError: the GPU fell off at job 0" in message
    assert "\n" not in message


def test_a_program_that_hangs_is_ended_and_not_called_again(
    samples: list[Sample], tmp_path: Path, omni: dict[str, Any], said: Said
) -> None:
    wanted = asked(samples[:2], n2="HANG on")
    editor = program(found("omni-video-2"), **{**omni, "batch": 2, "timeout": 3.0})
    results = all_at_once(editor, wanted, tmp_path)
    assert [str(result).partition(" and")[0] for result in results] == ["the program ran longer than 6 s"] * 2
    assert "hanging" in str(results[0])
    assert len(calls(said)) == 1
    assert all(gone(entry["pid"]) for entry in said()), "a worker with a session of its own outlived its launcher"


def test_clips_of_two_shapes_are_two_calls(
    samples: list[Sample], tmp_path: Path, omni: dict[str, Any], said: Said
) -> None:
    short = makers.write_clip(tmp_path / "bench" / "short.mp4", frames=7)
    wanted = [*samples[:2], replace(samples[2], root=short.parent, source=short.name)]
    results = all_at_once(program(found("omni-video-2"), **{**omni, "batch": 3}), wanted, tmp_path)
    assert all(isinstance(result, Effort) for result in results), results
    assert sorted(calls(said)) == [1, 2]
    assert video.probe(tmp_path / f"{wanted[2].id}.mp4").frames == 5


def test_a_source_that_cannot_be_read_fails_alone(
    samples: list[Sample], tmp_path: Path, omni: dict[str, Any], said: Said
) -> None:
    whole = samples[2].source_path.read_bytes()
    rubbish = tmp_path / "rubbish.mp4"
    rubbish.write_bytes(whole[: len(whole) // 2])
    wanted = [*samples[:2], replace(samples[2], root=tmp_path, source="rubbish.mp4")]
    results = all_at_once(program(found("omni-video-2"), **{**omni, "batch": 3}), wanted, tmp_path)
    assert [isinstance(result, Effort) for result in results] == [True, True, False]
    assert isinstance(results[2], VideoError)
    assert calls(said) == [2]


def test_a_call_that_makes_one_clip_cannot_make_more(tmp_path: Path) -> None:
    with pytest.raises(EditorError, match="a call of icve makes 1 clip; batch=2 cannot be"):
        program(found("icve"), **checkout(tmp_path, CASES["icve"]), batch=2)


JOBS = {
    "jsonl": ({"clip": "{file}", "say": "{instruction}", "seed": "{seed}"}, "jobs.jsonl"),
    "csv": ({"clip": "{file}", "say": "{instruction}", "seed": "{seed}"}, "jobs.csv"),
    "lines": ("{file}: {instruction} #{seed}", "jobs.txt"),
}
COPY_JOBS = """
    import csv, json, shutil, sys
    from pathlib import Path
    jobs, sources, out, keep = map(Path, sys.argv[1:])
    shutil.copyfile(jobs, keep)
    text = jobs.read_text(encoding="utf-8")
    if jobs.suffix == ".jsonl":
        names = [json.loads(line)["clip"] for line in text.splitlines()]
    elif jobs.suffix == ".csv":
        names = [row["clip"] for row in csv.DictReader(text.splitlines(keepends=True))]
    else:
        names = [line.split(":")[0] for line in text.splitlines()]
    for name in names:
        shutil.copyfile(sources / name, out / ("edit of " + name))
"""


@pytest.mark.parametrize("form", JOBS)
def test_jobs_are_listed_in_the_form_that_the_program_reads(
    form: str, sample: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "QUIET_SECONDS", 0.05)
    line, name = JOBS[form]
    kept = tmp_path / "kept"
    preset = own(
        command=[sys.executable, str(script(tmp_path, COPY_JOBS)), "{jobs}", "{sources}", "{folder}/out", str(kept)],
        output="out/edit of {file}",
        batch=2,
        jobs={"format": form, "line": line},
    )
    nasty = replace(sample, instruction='say "a, b": {seed}\nnow')
    program(preset, seed=4).edit(nasty, tmp_path / "out.mp4")
    text = kept.read_text(encoding="utf-8")
    file = f"{sample.id}.mp4"
    if form == "jsonl":
        assert json.loads(text) == {"clip": file, "say": nasty.instruction, "seed": 4}
    elif form == "csv":
        assert text == f'clip,say,seed\n{file},"say ""a, b"": {{seed}}\nnow",4\n'
    else:
        assert text == f'{file}: say "a, b": {{seed}} now #4\n'
    assert name == spec.read(preset).jobs.name  # type: ignore[union-attr]


# -- what a program made -----------------------------------------------------------------------------------------------

MAKE = """
    import sys
    from pathlib import Path
    import numpy as np
    from sparkle_bench import video
    from sparkle_bench.video.frames import frames
    source, out, fps, change = sys.argv[1:]
    made = eval(change, {"np": np}, {"clip": list(frames(Path(source)))})
    video.write(Path(out), made, fps=float(fps))
"""


def maker(tmp_path: Path, change: str, *, fps: float = 24.0, **section: Any) -> Program:
    """A program that changes a list of frames and writes it at some rate."""
    words = [sys.executable, str(script(tmp_path, MAKE)), "{source}", "{out}", str(fps), change]
    return program(own(command=words, **section))


HALVES = {
    "right-half": "[np.concatenate([255 - p, p], axis=1) for p in clip]",
    "left-half": "[np.concatenate([p, 255 - p], axis=1) for p in clip]",
    "top-half": "[np.concatenate([p, 255 - p], axis=0) for p in clip]",
    "bottom-half": "[np.concatenate([255 - p, p], axis=0) for p in clip]",
}


@pytest.mark.parametrize("part", HALVES)
def test_half_of_a_composite_is_taken(part: str, sample: Sample, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    maker(tmp_path, HALVES[part], take=[part]).edit(sample, out)
    assert video.probe(out) == Probe(frames=COUNT, fps=16.0, width=96, height=64)
    pairs = list(zip(frames(sample.source_path), frames(out), strict=True))
    assert max(float(abs(before.astype(int) - after).mean()) for before, after in pairs) < 8  # chroma is halved thrice


@pytest.mark.parametrize("fps", [7.0, 16.0, 24.0, 23.976])
def test_an_edit_has_the_sources_time_and_the_programs_pictures(fps: float, sample: Sample, tmp_path: Path) -> None:
    kept = tmp_path / "made.mp4"
    words = [sys.executable, str(script(tmp_path, MAKE)), "{source}", str(kept), str(fps), "[255 - p for p in clip]"]
    program(own(command=words, output=str(kept))).edit(sample, tmp_path / "out.mp4")
    assert video.probe(tmp_path / "out.mp4") == Probe(frames=COUNT, fps=16.0, width=96, height=64)
    pairs = zip(frames(kept), frames(tmp_path / "out.mp4"), strict=True)
    assert all((before == after).all() for before, after in pairs), "they were encoded again"


def test_a_size_of_the_programs_own_is_kept(sample: Sample, tmp_path: Path) -> None:
    maker(tmp_path, "[p[:32] for p in clip]").edit(sample, tmp_path / "out.mp4")
    assert video.probe(tmp_path / "out.mp4") == Probe(frames=COUNT, fps=16.0, width=96, height=32)


def test_a_rate_that_is_asked_for_is_kept_to(sample: Sample, tmp_path: Path) -> None:
    maker(tmp_path, "clip", _output={"fps": 15, "crf": 25}).edit(sample, tmp_path / "out.mp4")
    assert video.probe(tmp_path / "out.mp4").fps == 15.0


@pytest.mark.parametrize("crf", ["18", "45"])
def test_a_crf_that_is_asked_for_makes_the_pictures_anew(crf: str, sample: Sample, tmp_path: Path) -> None:
    kept = tmp_path / "made.mp4"
    words = [sys.executable, str(script(tmp_path, MAKE)), "{source}", str(kept), "24", "[255 - p for p in clip]"]
    program(own(command=words, output=str(kept)), crf=crf).edit(sample, tmp_path / "out.mp4")
    pairs = zip(frames(kept), frames(tmp_path / "out.mp4"), strict=True)
    assert all((before == after).all() for before, after in pairs) == (crf == "18")
    assert ((tmp_path / "out.mp4").stat().st_size < kept.stat().st_size / 2) == (crf == "45")


@pytest.mark.parametrize(("change", "count"), [("clip[:20]", 20), ("clip + clip[:4]", 45)], ids=["too few", "too many"])
def test_other_frames_than_those_given_are_no_edit(change: str, count: int, sample: Sample, tmp_path: Path) -> None:
    with pytest.raises(EditorError, match=f"was given {COUNT} frames and made {count}"):
        maker(tmp_path, change).edit(sample, tmp_path / "out.mp4")
    assert not (tmp_path / "out.mp4").exists()


def test_frames_that_fill_a_clip_up_are_cut_off_where_that_is_known(sample: Sample, tmp_path: Path) -> None:
    maker(tmp_path, "clip + clip[:4]", take="first-frames").edit(sample, tmp_path / "out.mp4")
    assert video.probe(tmp_path / "out.mp4").frames == COUNT
    with pytest.raises(EditorError, match="made 20"):
        maker(tmp_path, "clip[:20]", take="first-frames").edit(sample, tmp_path / "less.mp4")


def test_a_program_with_a_time_of_its_own_keeps_it(sample: Sample, tmp_path: Path) -> None:
    effort = maker(tmp_path, "clip + clip[:20]", _output={"aligned": False}).edit(sample, tmp_path / "out.mp4")
    assert video.probe(tmp_path / "out.mp4") == Probe(frames=61, fps=24.0, width=96, height=64)
    assert (effort.frames, effort.aligned) == (COUNT, False)


def test_a_clip_is_fitted_and_written_at_the_rate_that_the_program_reads(sample: Sample, tmp_path: Path) -> None:
    kept = tmp_path / "kept.mp4"
    command = [sys.executable, "-c", "import shutil, sys; [shutil.copyfile(sys.argv[1], p) for p in sys.argv[2:]]"]
    preset = own(
        command=[*command, "{source}", "{out}", str(kept)],
        source_fps=24,
        _fit={"frames": "8n+1", "most": 33, "multiple": 32, "size": [64, 32]},
    )
    program(preset).edit(sample, tmp_path / "out.mp4")
    assert video.probe(kept) == Probe(frames=33, fps=24.0, width=64, height=32)
    assert video.probe(tmp_path / "out.mp4") == Probe(frames=33, fps=16.0, width=64, height=32)


@pytest.mark.parametrize("fit", [None, {"frames": "4n+1"}], ids=["no fit", "its own fit"])
def test_the_sources_own_file_is_given_where_that_is_wanted(fit: Any, sample: Sample, tmp_path: Path) -> None:
    note = tmp_path / "note"
    code = "import shutil, sys; open(sys.argv[3], 'w').write(sys.argv[1]); shutil.copyfile(*sys.argv[1:3])"
    preset = own(command=[sys.executable, "-c", code, "{source}", "{out}", str(note)], source="as-is", _fit=fit)
    effort = program(preset).edit(sample, tmp_path / "out.mp4")
    assert Path(note.read_text(encoding="utf-8")) == sample.source_path.resolve()
    assert effort.frames == COUNT


def test_half_a_file_is_no_edit(sample: Sample, tmp_path: Path) -> None:
    code = "import sys; data = open(sys.argv[1], 'rb').read(); open(sys.argv[2], 'wb').write(data[:len(data) // 2])"
    with pytest.raises(VideoError):
        program(own(command=[sys.executable, "-c", code, "{source}", "{out}"])).edit(sample, tmp_path / "out.mp4")
    assert not (tmp_path / "out.mp4").exists()


FAILURES: dict[str, tuple[str, type[SparkleError], str]] = {
    "its own fault": ("sys.exit('ValueError: no such layer')", EditorError, "code 1: ValueError: no such layer"),
    "the GPU is full": (
        "sys.exit('torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.')",
        OutOfMemory,
        "CUDA out of memory",
    ),
    "the disk is full": ("sys.exit('OSError: [Errno 28] No space left on device')", MachineError, "No space left"),
    "nothing is said": ("sys.exit(3)", EditorError, "code 3: it printed nothing"),
    "a signal": ("import os; os.kill(os.getpid(), 9)", EditorError, "code -9"),
    "nothing is made": ("print('done')", EditorError, "made no video"),
    "nothing is made for want of room": (
        "print('save failed: No space left on device')",
        MachineError,
        "No space left",
    ),
}


@pytest.mark.parametrize(("code", "kind", "message"), FAILURES.values(), ids=FAILURES)
def test_a_failure_is_called_what_it_is(
    code: str, kind: type[SparkleError], message: str, sample: Sample, tmp_path: Path
) -> None:
    editor = program(own(command=[sys.executable, "-c", f"import sys; {code}", "{out}"]))
    with pytest.raises(SparkleError) as caught:
        editor.edit(sample, tmp_path / "out.mp4")
    assert type(caught.value) is kind
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_nothing_is_left_of_a_call(sample: Sample, tmp_path: Path, temporary: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    copy = [sys.executable, "-c", "import shutil, sys; shutil.copyfile(*sys.argv[1:3])", "{source}", "{out}"]
    program(own(command=copy), scratch=scratch).edit(sample, tmp_path / "out.mp4")
    program(own(command=copy)).edit(sample, tmp_path / "other.mp4")
    assert [*scratch.iterdir(), *temporary.iterdir()] == []


# -- what is new in a folder -------------------------------------------------------------------------------------------

INTO = """
    import os, shutil, sys, time
    source, folder, name, wait = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    time.sleep(float(wait))
    for part in name.split("|"):
        shutil.copyfile(source, os.path.join(folder, part))
"""


def into(tmp_path: Path, folder: Path, name: str, *, wait: float = 0.0, output: str = "*.mp4") -> Program:
    """A program that writes into a folder of its project under a name of its own choice."""
    words = [sys.executable, str(script(tmp_path, INTO)), "{source}", str(folder), name, str(wait)]
    place = glob.escape(str(folder)) if "*" in output else folder
    return program(own(command=words, output=f"{place}/{output}"))


ODD = ["2026-01-02-03:04:05_seed42_A man's [day].mp4", "--out.mp4", "a b\tc.mp4", "é夜$(x).mp4", "new\nline.mp4"]


@pytest.mark.parametrize("name", ODD)
def test_what_is_new_is_found_whatever_it_is_called(name: str, sample: Sample, tmp_path: Path) -> None:
    folder = tmp_path / "results [1]"
    makers.write_clip(folder / "old.mp4", seed=9)
    makers.write_clip(folder / "older [2].mp4", seed=8)
    into(tmp_path, folder, name).edit(sample, tmp_path / "out.mp4")
    assert video.probe(tmp_path / "out.mp4").frames == COUNT
    assert (folder / name).exists()
    assert (folder / "old.mp4").exists()


def test_a_file_that_is_written_again_is_new(sample: Sample, tmp_path: Path) -> None:
    folder = tmp_path / "results"
    makers.write_clip(folder / "edit.mp4", seed=9)
    into(tmp_path, folder, "edit.mp4").edit(sample, tmp_path / "out.mp4")
    assert video.probe(tmp_path / "out.mp4").frames == COUNT


@pytest.mark.parametrize("output", ["*.mp4", "edit.mp4"], ids=["a pattern", "a path"])
def test_what_was_there_before_is_not_taken(output: str, sample: Sample, tmp_path: Path) -> None:
    folder = tmp_path / "results"
    makers.write_clip(folder / "edit.mp4", seed=9)
    with pytest.raises(EditorError, match="made no video"):
        into(tmp_path, folder, "note.txt", output=output).edit(sample, tmp_path / "out.mp4")


def test_two_new_videos_are_not_guessed_at(sample: Sample, tmp_path: Path) -> None:
    with pytest.raises(EditorError, match=r"made 2 videos for .*: a\.mp4, b\.mp4"):
        into(tmp_path, tmp_path / "results", "a.mp4|b.mp4").edit(sample, tmp_path / "out.mp4")


def test_a_file_that_somebody_else_still_writes_is_not_taken(sample: Sample, tmp_path: Path) -> None:
    folder, over = tmp_path / "results", threading.Event()
    folder.mkdir()

    def write() -> None:
        with (folder / "theirs.mp4").open("wb") as file:
            while not over.wait(0.02):
                file.write(b"x" * 1000)
                file.flush()

    editor = into(tmp_path, folder, "ours.mp4", wait=0.5)
    thread = threading.Thread(target=write, daemon=True)
    timer = threading.Timer(0.3, thread.start)
    timer.start()
    try:
        editor.edit(sample, tmp_path / "out.mp4")
        with pytest.raises(EditorError, match="made no video"):
            into(tmp_path, folder, "note.txt").edit(sample, tmp_path / "other.mp4")
    finally:
        over.set()
        timer.join()
    assert video.probe(tmp_path / "out.mp4").frames == COUNT


def test_calls_that_share_a_folder_take_turns(samples: list[Sample], tmp_path: Path) -> None:
    """Two editors, as in two processes, whose programs name their videos without a hint at the clip."""
    folder = tmp_path / "results"
    clips = [makers.write_clip(tmp_path / f"clip{n}.mp4", frames=n, seed=n) for n in (10, 20, 30)]
    wanted = [replace(s, root=tmp_path, source=clip.name) for s, clip in zip(samples, clips, strict=False)]
    editors = [into(tmp_path, folder, f"{n}.mp4", wait=0.3) for n in range(3)]
    threads = [
        threading.Thread(target=editor.edit, args=(sample, tmp_path / f"out{n}.mp4"), daemon=True)
        for n, (editor, sample) in enumerate(zip(editors, wanted, strict=True))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [video.probe(tmp_path / f"out{n}.mp4").frames for n in range(3)] == [10, 20, 30]


# -- what is read and refused ------------------------------------------------------------------------------------------

FINE = {"command": "true {out}"}
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no command": ({}, "program.command is missing"),
    "an empty one": ({"command": []}, "program.command is empty"),
    "an open quote": ({"command": "a 'b"}, "program.command cannot be split"),
    "an unknown key": ({**FINE, "enviroment": {}}, "unknown key 'enviroment' in [program]; did you mean environment?"),
    "an unknown placeholder": (
        {"command": "a {sorce} {out}"},
        "unknown placeholder {sorce}; did you mean source, sources, scene? known: source, file, instruction, out, id",
    ),
    "one like none": ({"command": "a {nothing} {out}"}, "unknown placeholder {nothing}; known: source, file"),
    "one in a variable": ({**FINE, "environment": {"A": "{nowhere}"}}, "unknown placeholder {nowhere}"),
    "one in a file": ({**FINE, "files": {"a.yaml": {"b": ["{nowhere}"]}}}, "unknown placeholder {nowhere}"),
    "one in the output": ({**FINE, "output": "{nowhere}/*.mp4"}, "unknown placeholder {nowhere}"),
    "an unknown part": ({**FINE, "take": "right_half"}, "program.take: did you mean right-half"),
    "an unknown source": ({**FINE, "source": "raw"}, "program.source: known: conformed, as-is"),
    "no rate": ({**FINE, "source_fps": "fast"}, "program.source_fps: 'fast' is not a number"),
    "truth for a number": ({**FINE, "batch": True}, "program.batch: True is not a number"),
    "a batch without a list": ({**FINE, "batch": 4}, "program.batch = 4 needs program.jobs"),
    "a clip's own in a batch": (
        {"command": "a {instruction} {jobs}", "batch": 2, "jobs": {"format": "lines", "line": "{file}"}},
        "one call makes 2 clips; {instruction} belongs into program.jobs",
    ),
    "one place for a batch": (
        {"command": "a {jobs}", "batch": 2, "output": "{folder}/x.mp4", "jobs": {"format": "lines", "line": "{file}"}},
        "program.output tells them apart by {id}",
    ),
    "a list that is not there": ({"command": "a {jobs} {out}"}, "{jobs} is used, but program.jobs does not say"),
    "an unknown form": ({**FINE, "jobs": {"format": "json", "line": {}}}, "program.jobs.format: did you mean jsonl"),
    "a line of another kind": (
        {**FINE, "jobs": {"format": "csv", "line": "x"}},
        "program.jobs.line: 'x' is not a table",
    ),
    "a file elsewhere": ({**FINE, "files": {"../x": "y"}}, "under a plain file name"),
    "an option of a taken name": ({**FINE, "options": {"seed": 1}}, "program.options.seed: that name is taken"),
    "an option of a common name": ({**FINE, "options": {"fps": 1}}, "program.options.fps: that name is taken"),
    "an option that the record has": (
        {**FINE, "options": {"aligned": 1}},
        "program.options.aligned: that name is taken",
    ),
    "an option of no kind": ({**FINE, "options": {"a": [1]}}, 'or "place: what it is"'),
    "a word for truth": ({**FINE, "fixed_size": "yes"}, "program.fixed_size: 'yes' is not true or false"),
    "a fixed size that is not said": ({**FINE, "fixed_size": True}, "program.fixed_size needs fit.size"),
    "an option of a placeholder's name": ({**FINE, "options": {"out": "x"}}, "program.options.out: that name is taken"),
}


@pytest.mark.parametrize(("section", "message"), WRONG.values(), ids=WRONG)
def test_what_describes_no_program_is_refused_in_one_line(section: dict[str, Any], message: str) -> None:
    with pytest.raises(EditorError) as caught:
        spec.read(own(**section))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_placeholder_is_answered_with_all_that_are_known() -> None:
    with pytest.raises(EditorError) as caught:
        spec.read(own(command="a {nowhere}", options={"strength": 1.0}))
    for name in (
        "source",
        "instruction",
        "out",
        "width",
        "frames",
        "fps",
        "folder",
        "jobs",
        "port",
        "checkout",
        "strength",
    ):
        assert name in str(caught.value).partition("known: ")[2].split(", ")


def test_a_fitted_source_needs_a_section_that_says_how() -> None:
    with pytest.raises(EditorError, match=r"needs a section \[fit\]"):
        spec.read(own(command="a {out}", source="conformed", _fit=None))
    with pytest.raises(EditorError, match="the source is given as it is"):
        spec.read(own(command="a {out}", source_fps=24, _fit=None))


MISSING: dict[str, tuple[str, dict[str, Any], str]] = {
    "a checkout": (
        "icve",
        {},
        "icve needs a checkout of https://github.com/leoisufa/ICVE: pass --option checkout=FOLDER",
    ),
    "its folder": ("icve", {"checkout": Path("/nowhere/ICVE")}, "option checkout: there is no folder /nowhere/ICVE"),
    "an interpreter": (
        "icve",
        {"checkout": Path()},
        "icve needs --option python=…, the interpreter of its project's",
    ),
    "that interpreter": (
        "icve",
        {"checkout": Path(), "python": Path("/nowhere")},
        "option python: /nowhere is no program",
    ),
    "the script": (
        "icve",
        {"checkout": Path(), "python": Path(sys.executable)},
        "holds no sample_video.py; is the checkout one of https://github.com/leoisufa/ICVE?",
    ),
    "the project's modules": (
        "univideo",
        {"checkout": Path(), "python": Path(sys.executable)},
        "holds no univideo_inference.py; is it a checkout of https://github.com/KlingTeam/UniVideo?",
    ),
    "weights": (
        "ditto",
        {"checkout": Path(), "python": Path(sys.executable)},
        "ditto needs --option weights=… (the file ditto_global.safetensors of QingyanBai/Ditto_models)",
    ),
    "those weights": (
        "ditto",
        {"checkout": Path(), "python": Path(sys.executable), "weights": "/nowhere/x.safetensors"},
        "option weights: there is nothing at /nowhere/x.safetensors (the file ditto_global",
    ),
}


@pytest.mark.parametrize(("name", "options", "message"), MISSING.values(), ids=MISSING)
def test_what_is_missing_is_told_at_once(
    name: str, options: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EditorError) as caught:
        program(found(name), **options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_has_gone_since_is_told_before_the_work(sample: Sample, tmp_path: Path) -> None:
    editor = program(found("icve"), **checkout(tmp_path / "ICVE", CASES["icve"]))
    editor.prepare([sample])
    (tmp_path / "ICVE" / "sample_video.py").unlink()
    with pytest.raises(EditorError, match=r"holds no sample_video\.py"):
        editor.prepare([sample])


def test_an_environment_in_the_checkout_is_found(tmp_path: Path) -> None:
    options = checkout(tmp_path / "ICVE", CASES["icve"])
    del options["python"]
    (tmp_path / "ICVE" / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / "ICVE" / ".venv" / "bin" / "python").symlink_to(sys.executable)
    program(found("icve"), **options)


def test_a_checkout_may_be_named_for_its_interpreter_alone(tmp_path: Path) -> None:
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    preset = own(command=["{python}", "-c", "", "{out}"])
    program(preset, checkout=tmp_path)
    with pytest.raises(EditorError, match="mine needs --option python=…"):
        program(preset)


OPTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown one": ({"shfit": 5}, "icve has no option 'shfit'; did you mean shift?"),
    "a word for a number": ({"shift": "much"}, "option shift='much' is no float"),
    "no such place": ({"base": "/nowhere/ckpts"}, "option base: there is nothing at /nowhere/ckpts"),
    "no time": ({"timeout": 0.0}, "a time limit of 0.0 s is none"),
    "no folder": ({"scratch": Path("/nowhere")}, "option scratch: there is no folder /nowhere"),
    "no size": ({"size": "832"}, "option size='832'"),
    "no multiple": ({"size": "384x250"}, "takes sides in multiples of 32, not 384x250; 384x256 is one"),
}


@pytest.mark.parametrize(("options", "message"), OPTIONS.values(), ids=OPTIONS)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(EditorError) as caught:
        program(found("icve"), **checkout(tmp_path, CASES["icve"]), **options)
    assert message in str(caught.value)


UNUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "steps": ("ditto", {"steps": 99}, "ditto takes no steps; leave out --option steps"),
    "guidance": ("ditto", {"guidance": 77.0}, "ditto takes no guidance"),
    "a seed": ("reco", {"seed": 3}, "reco takes no seed"),
    "a seed of nothing": ("reco", {"seed": 0}, "reco takes no seed"),
    "a size": ("ditto", {"size": "640x352"}, "ditto makes 832x480 and no other size; leave out --option size"),
    "another's size": ("reco", {"size": "640x352"}, "reco makes 832x480 and no other size"),
    "a third's size": ("insvie", {"size": "640x352"}, "insvie makes 720x480 and no other size"),
}


@pytest.mark.parametrize(("name", "options", "message"), UNUSED.values(), ids=UNUSED)
def test_an_option_that_would_do_nothing_is_refused(
    name: str, options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    usual = checkout(tmp_path, CASES[name])
    program(found(name), **usual)
    with pytest.raises(EditorError) as caught:
        program(found(name), **usual, **options)
    assert message in str(caught.value)


@pytest.mark.parametrize("given", [{"checkout": Path()}, {"python": Path(sys.executable)}, {"strength": 1}], ids=str)
def test_what_no_word_names_is_refused(given: dict[str, Any]) -> None:
    preset = own(command=[sys.executable, "-c", "", "{out}"], options={"strength": 0.5})
    with pytest.raises(EditorError, match=f"mine takes no {next(iter(given))}"):
        program(preset, **given)


def test_the_size_that_a_program_has_may_be_said(tmp_path: Path) -> None:
    program(found("ditto"), **checkout(tmp_path, CASES["ditto"]), size="832x480")


@pytest.mark.parametrize("size", ["1280x720", "720x1280", "480x832"])
def test_omni_video_has_other_sizes(size: str, tmp_path: Path) -> None:
    assert (
        program(found("omni-video-2"), **checkout(tmp_path, CASES["omni-video-2"]), size=size).describe()["size"]
        == size
    )


def test_a_file_of_the_working_directory_is_named_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("mine.bin", "auto"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    note = tmp_path / "note"
    code = "import json, sys; open(sys.argv[1], 'w').write(json.dumps(sys.argv[2:])); sys.exit(1)"
    options = {
        "usual": "weights/usual.bin",
        "any": "place: of any kind",
        "other": "place: of any kind",
        "word": "flash",
    }
    words = [sys.executable, "-c", code, str(note), "{out}", *(f"--{name}={{{name}}}" for name in options)]
    sample = benchmark.load(makers.write_benchmark(tmp_path / "bench", samples_per_theme=1)).samples[0]
    given = {"usual": "mine.bin", "any": "mine.bin", "other": "maker/model", "word": "auto"}
    with pytest.raises(EditorError, match="code 1"):
        program(own(command=words, options=options), **given).edit(sample, tmp_path / "out.mp4")
    place = tmp_path / "mine.bin"
    assert json.loads(note.read_text(encoding="utf-8"))[1:] == [
        f"--usual={place}",
        f"--any={place}",
        "--other=maker/model",
        "--word=auto",
    ]


def test_settings_that_the_command_names_are_needed() -> None:
    with pytest.raises(EditorError, match="mine needs --option steps=…"):
        program(own(command=[sys.executable, "-c", "", "{steps}", "{out}"]))
    program(own(command=[sys.executable, "-c", "", "{steps}", "{out}"]), steps=4)


# -- what goes on record -----------------------------------------------------------------------------------------------


def test_the_record_names_command_options_commit_and_libraries_but_no_folder_of_this_machine(tmp_path: Path) -> None:
    place = tmp_path / "secret place" / "ICVE"
    options = checkout(place, CASES["icve"])
    git = ["git", "-C", str(place), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"]):
        subprocess.run([*git, *words], check=True)
    weights = place / "w.safetensors"
    weights.write_text("", encoding="utf-8")
    recorded = program(found("icve"), **options, steps=7, weights=str(weights)).describe()
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    assert recorded["commit"] == head
    assert (recorded["steps"], recorded["guidance"], recorded["seed"]) == (7, 6.0, 42)
    assert (recorded["weights"], recorded["base"], recorded["shift"]) == ("w.safetensors", "./ckpts", 7.0)
    assert recorded["libraries"]["python"].count(".") == 2
    assert "{instruction}" in recorded["command"]
    assert "secret" not in json.dumps(recorded)
    (place / "sample_video.py").unlink()
    (place / "sample_video.py").write_text("changed", encoding="utf-8")
    assert program(found("icve"), **options).describe()["commit"] == f"{head}-dirty"


def test_the_record_says_what_was_given_and_how_edits_are_written(tmp_path: Path) -> None:
    usual = {"frames": 81, "multiple": 32, "size": "the source's", "fps": "source", "crf": 18, "aligned": True}
    options = checkout(tmp_path, CASES["icve"])
    assert program(found("icve"), **options).describe().items() >= usual.items()
    asked = program(found("icve"), **options, frames="61", size="384x224", fps="15", crf="25").describe()
    assert asked.items() >= {**usual, "frames": 61, "size": "384x224", "fps": 15.0, "crf": 25}.items()
    copy = [sys.executable, "-c", "", "{out}"]
    plain = program(own(command=copy, _fit=None, _output={"aligned": "unknown"})).describe()
    assert {"fps": "the program's", "crf": 18, "aligned": "unknown"}.items() <= plain.items()
    assert not {"frames", "multiple", "size"} & set(plain)
    assert program(own(command=copy, _output={"aligned": False})).describe()["aligned"] is False


def test_secrets_are_hidden_from_the_record() -> None:
    preset = own(
        command=[sys.executable, "-c", "", "--api-key", "abcdef", "--token=hf_abcdefghijkl", "{key}", "{out}"],
        options={"key": "needed: the key of its host"},
    )
    recorded = json.dumps(program(preset, key="hf_0123456789abcdef").describe())
    assert not any(secret in recorded for secret in ("abcdef", "hf_"))


def test_settings_are_declared_with_the_model(tmp_path: Path) -> None:
    declared = program(found("icve"), **checkout(tmp_path, CASES["icve"])).declared()
    assert declared["model"]["name"] == "ICVE"
    assert declared["settings"] == {"steps": 50, "guidance": 6.0, "seed": 42, "frames": 81}
    fixed = program(found("reco"), **checkout(tmp_path / "reco", CASES["reco"])).declared()
    assert fixed["settings"] == {"frames": 81, "width": 832, "height": 480}, "its script takes no seed"


def test_clips_are_told_apart_by_shape(sample: Sample, tmp_path: Path) -> None:
    assert program(found("ditto"), **checkout(tmp_path, CASES["ditto"])).shape(sample) == (41, 480, 832)
    assert program(own(command=[sys.executable, "{out}"], _fit=None)).shape(sample) == (0, 0, 0)


@pytest.fixture
def nvidia(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for `nvidia-smi` that says what a file says; returns the file."""
    told, tools = tmp_path / "told", tmp_path / "tools"
    tools.mkdir()
    (tools / "nvidia-smi").write_text(f"#!/bin/sh\ncat {shlex.quote(str(told))}\n", encoding="utf-8")
    (tools / "nvidia-smi").chmod(0o700)
    monkeypatch.setenv("PATH", str(tools), prepend=os.pathsep)
    monkeypatch.setattr("sparkle_bench.editors.process.GPU_SECONDS", 0.05)
    told.write_text("", encoding="utf-8")
    return told


USES_GPU = """
    import os, shutil, subprocess, sys, time
    source, out, told, mine = sys.argv[1:]
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(20)"], start_new_session=True)
    for use in (100, 300, 200):
        rows = [f"{os.getpid()}, {use}", f"{child.pid}, 50", "1, 9000", "nothing, [N/A]"]
        open(told + ".part", "w").write("\\n".join(rows if mine == "yes" else rows[2:]) + "\\n")
        os.replace(told + ".part", told)
        time.sleep(0.5)
    block = bytearray(80 << 20)
    shutil.copyfile(source, out)
"""


@pytest.mark.parametrize(("mine", "expected"), [("yes", 350 << 20), ("no", None)])
def test_memory_is_that_of_all_processes_of_the_call(
    mine: str, expected: int | None, nvidia: Path, sample: Sample, tmp_path: Path
) -> None:
    words = [sys.executable, str(script(tmp_path, USES_GPU)), "{source}", "{out}", str(nvidia), mine]
    effort = program(own(command=words)).edit(sample, tmp_path / "out.mp4")
    assert effort.gpu_memory == expected
    assert effort.host_memory is not None
    assert effort.host_memory > 80 << 20


# -- by the command line -----------------------------------------------------------------------------------------------

OWN_TOML = """
# A program of one's own.
kind = "program"
about = "Turns colours round."

[declared.model]
name = "Turner"
parameters = "5B"

[fit]
frames = "4n+1"
most = 9
multiple = 32

[program]
command = ["{python}", "turn.py", "--in={source}", "--say={instruction}", "--strength={strength}", "--weights={weights}"]
cwd = "{checkout}"
output = "results/*.mp4"

[program.environment]
TURNER_CACHE = "{folder}/cache"

[program.options]
strength = 0.5
weights = "path: the file turner.bin"
"""
TURN = """
    import argparse, os, shutil, time
    parser = argparse.ArgumentParser()
    for flag in ("--in", "--say", "--strength", "--weights"):
        parser.add_argument(flag, required=True)
    given = parser.parse_args()
    assert os.environ["TURNER_CACHE"].endswith("/cache") and float(given.strength) == 0.25, given
    if os.path.exists("wait"):
        open(f"pid{os.getpid()}", "w").write("")
        time.sleep(100)
    os.makedirs("results", exist_ok=True)
    shutil.copyfile(getattr(given, "in"), f"results/{time.time_ns()}: {given.say[:30]}.mp4")
"""


@pytest.fixture
def mine(tmp_path: Path) -> list[str]:
    """The words that edit four samples with a preset of one's own."""
    makers.write_benchmark(tmp_path / "bench", samples_per_theme=1)
    (tmp_path / "mine.toml").write_text(OWN_TOML, encoding="utf-8")
    (tmp_path / "turner [1]").mkdir()
    script(tmp_path / "turner [1]", TURN, "turn.py")
    script(tmp_path / "turner [1]", "", "turner.bin")
    options = {
        "checkout": "turner [1]",
        "python": sys.executable,
        "strength": "0.25",
        "weights": "turner [1]/turner.bin",
    }
    words = [word for name, value in options.items() for word in ("--option", f"{name}={value}")]
    return ["edit", "--model", "./mine.toml", "--bench", "bench", "--root", ".", *words]


def test_a_preset_of_ones_own_is_run_from_the_command_line(mine: list[str], tmp_path: Path) -> None:
    done = cli.run(*mine, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"model": "mine", "samples": 4, "edited": 4, "failed": 0}
    run = json.loads((tmp_path / "results" / "mine" / "run.json").read_text(encoding="utf-8"))
    assert (run["editor"]["options"]["strength"], run["editor"]["options"]["weights"]) == (0.25, "turner.bin")
    assert run["declared"]["model"] == {"name": "Turner", "parameters": 5_000_000_000}
    assert str(tmp_path) not in json.dumps(run)
    lines = (tmp_path / "results" / "mine" / "edits.jsonl").read_text(encoding="utf-8").splitlines()
    edits = [json.loads(line) for line in lines]
    assert [edit["probe"] for edit in edits] == [{"frames": 9, "fps": 16.0, "width": 96, "height": 64}] * 4
    assert all(edit["effort"]["frames"] == 9 and edit["effort"]["seconds"] > 0 for edit in edits)


def test_what_is_missing_leaves_no_result(mine: list[str], tmp_path: Path) -> None:
    done = cli.run(*[word for word in mine if "checkout" not in word][:7], cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: mine needs --option weights=… (the file turner.bin)")
    assert not (tmp_path / "results").exists()


def test_an_unknown_option_is_named(mine: list[str], tmp_path: Path) -> None:
    done = cli.run(*mine, "--option", "strenght=1", cwd=tmp_path)
    assert done.returncode == 1
    assert "mine has no option 'strenght'; did you mean strength?" in done.stderr


def interrupted(words: list[str], place: Path, cwd: Path) -> list[int]:
    """Run a command until a program notes that it runs, press Ctrl-C, and return the programs' ids."""
    process = cli.start(*words, cwd=cwd)
    end = time.monotonic() + 60
    while not (notes := list(place.glob("pid*"))):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < end
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "stopped" in err
    return [int(note.name[3:]) for note in notes]


def test_ctrl_c_ends_what_runs_and_the_next_run_goes_on(mine: list[str], tmp_path: Path) -> None:
    place = tmp_path / "turner [1]"
    (place / "wait").touch()
    assert all(gone(pid) for pid in interrupted(mine, place, tmp_path))
    (place / "wait").unlink()
    done = cli.run(*mine, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


BATCH_TOML = """
kind = "program"
[fit]
[program]
command = ["{python}", "wait.py", "{jobs}"]
cwd = "{checkout}"
output = "{folder}/{id}.mp4"
batch = 4
jobs = { format = "lines", line = "{file}" }
"""
WAIT = """
    import os, subprocess, sys, time
    waits = "import os, sys, time; open(f'pid{os.getpid()}', 'w').write(''); time.sleep(100)"
    subprocess.Popen([sys.executable, "-c", waits], start_new_session=True)
    time.sleep(100)
"""


def test_ctrl_c_ends_a_call_of_many_clips_and_what_it_has_started(mine: list[str], tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(BATCH_TOML, encoding="utf-8")
    script(tmp_path / "turner [1]", WAIT, "wait.py")
    words = [*mine[:7], "--option", "checkout=turner [1]", "--option", f"python={sys.executable}"]
    assert all(gone(pid) for pid in interrupted(words, tmp_path / "turner [1]", tmp_path))
    lines = tmp_path / "results" / "mine" / "edits.jsonl"
    assert not lines.exists() or lines.read_text(encoding="utf-8") == ""
