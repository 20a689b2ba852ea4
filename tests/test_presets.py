"""The judges known by name: true to what is published, read strictly, found again by what a server says it serves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sparkle_bench.cli.serve import DEFAULT_JUDGE
from sparkle_bench.errors import JudgeUnavailable
from sparkle_bench.judges import table
from tests import cli

# Parameters, layers, key-value heads: counted from the published configurations; every head is 128 wide.
PUBLISHED = {
    "qwen3-vl-8b": (8_767_123_696, 36, 8),
    "qwen3-vl-30b-a3b": (31_070_754_032, 48, 4),
    "qwen3-vl-32b": (33_357_390_064, 64, 8),
    "qwen2.5-vl-3b": (3_754_622_976, 36, 2),
    "qwen2.5-vl-7b": (8_292_166_656, 28, 4),
    "qwen2.5-vl-72b": (73_410_777_344, 80, 8),
}
GIB = 2**30


def test_the_table_has_the_judges_of_the_benchmark() -> None:
    assert set(table.names()) == {*PUBLISHED, "gemini-2.5-pro"}
    assert table.DEFAULT == DEFAULT_JUDGE == "qwen3-vl-32b"
    assert table.DEFAULT in table.names()


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_served_preset_holds_what_starts_it(name: str) -> None:
    preset = table.load(name)
    parameters, layers, heads = PUBLISHED[name]
    over = preset.engine["tensor_parallel_size"]
    cache = 2 * layers * heads * 128 * 2 * preset.engine["max_model_len"]
    assert preset.memory_gib == pytest.approx((2 * parameters + cache) / GIB + 4 * over, abs=0.06)
    assert preset.memory_gib / over < 0.9 * 79, "it fits GPUs of 80 GB"
    assert preset.parameters == f"{parameters / 1e9:.0f}B"
    assert preset.model.startswith("Qwen/Qwen")
    assert (preset.served_by, preset.revision, preset.price) == ("vllm", "main", None)
    assert (preset.media, preset.part) == ("frames", "video_url")
    assert preset.factor == (32 if "qwen3" in name else 28)
    assert preset.engine["limit_mm_per_prompt"] == {"video": 2}


def test_the_papers_judge_is_hosted_priced_and_said_to_end() -> None:
    preset = table.load("gemini-2.5-pro")
    assert preset.served_by == "provider"
    assert preset.url == "https://generativelanguage.googleapis.com/v1beta/openai"
    assert preset.price is not None
    assert (preset.price.input, preset.price.output) == (1.25, 10.0)
    assert preset.price.as_of
    assert (preset.media, preset.part) == ("mp4", "image_url")
    assert "2026-12-01" in str(preset.note)


@pytest.mark.parametrize(
    ("model", "root", "name"),
    [
        ("Qwen/Qwen3-VL-8B-Instruct", None, "qwen3-vl-8b"),
        ("qwen3-vl-32b-instruct", None, "qwen3-vl-32b"),
        ("judge", "/models/Qwen2.5-VL-7B-Instruct/", "qwen2.5-vl-7b"),
        ("judge", "/h/hub/models--Qwen--Qwen3-VL-30B-A3B-Instruct/snapshots/0f3a", "qwen3-vl-30b-a3b"),
        ("models/gemini-2.5-pro", None, "gemini-2.5-pro"),
        ("google/gemini-2.5-pro", None, "gemini-2.5-pro"),
        ("somebody/Qwen3-VL-8B-Instruct", None, None),
        ("Qwen/Qwen3-VL-8B-Instruct-FP8", None, None),
        ("Qwen/Qwen3-VL-8B-Thinking", None, None),
        ("gemini-2.5-pro-preview-05-06", None, None),
        ("", "/", None),
    ],
)
def test_a_served_model_finds_its_preset(model: str, root: str | None, name: str | None) -> None:
    found = table.matching(model, root)
    assert (found.name if found else None) == name


def test_an_unknown_name_is_answered_with_near_ones() -> None:
    with pytest.raises(JudgeUnavailable, match=r"no judge 'qwen3-vl-32'; did you mean qwen3-vl-32b"):
        table.load("qwen3-vl-32")


# -- strict reading ----------------------------------------------------------------------------------------------------

GOOD = (table.FOLDER / "qwen3-vl-8b.toml").read_text(encoding="utf-8")
HOSTED = (table.FOLDER / "gemini-2.5-pro.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "old", "new", "said"),
    [
        (GOOD, "max_pixels =", "max_pixel =", "unknown field max_pixel; did you mean max_pixels"),
        (GOOD, 'media = "frames"\n', "", "missing: media"),
        (GOOD, 'revision = "main"\n', "", "served_by is 'vllm', so it needs revision"),
        (GOOD, 'media = "frames"', 'media = "gif"', "media is 'gif'; known: frames, mp4"),
        (GOOD, "frames = 16", "frames = 15", "frames is 15; it must be an even number"),
        (GOOD, "frames = 16", "frames = 16.0", "frames is 16.0, not a whole number"),
        (GOOD, "frames = 16", "frames = true", "frames is True, not a whole number"),
        (GOOD, "memory_gib = 24.8", "memory_gib = -1", "memory_gib is -1; it must be more than 0"),
        (GOOD, "[engine]", "[engine", "line"),
        (GOOD, 'parameters = "9B"', "parameters = 9", "parameters is 9, not a text"),
        (HOSTED, "input = 1.25\n", "", "missing: price.input"),
        (HOSTED, "input = 1.25", "inputs = 1.25\ninput = 1", "unknown field price.inputs; did you mean input"),
        (HOSTED, "input = 1.25", "input = -1", "a price is never negative"),
    ],
)
def test_a_malformed_preset_is_refused_with_the_reason(
    tmp_path: Path, text: str, old: str, new: str, said: str
) -> None:
    assert old in text
    (tmp_path / "mine.toml").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(JudgeUnavailable) as refused:
        table.load("mine", folder=tmp_path)
    assert said in str(refused.value)
    assert str(refused.value).startswith("mine.toml is malformed: ")
    assert "\n" not in str(refused.value)


# -- the command -------------------------------------------------------------------------------------------------------


def test_the_command_lists_them_in_120_columns(tmp_path: Path) -> None:
    done = cli.run("judges", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 120
    for name in (*table.names(), "openai", "signals", "replay:FILE"):
        assert f"\n{name}" in f"\n{done.stdout}"
    assert "qwen3-vl-32b*" in done.stdout


def test_the_command_prints_all_of_it_as_json(tmp_path: Path) -> None:
    done = cli.run("judges", "--json", cwd=tmp_path)
    said = json.loads(done.stdout)
    assert said["default"] == table.DEFAULT
    assert [preset["name"] for preset in said["presets"]] == list(table.names())
    assert {"openai", "signals", "replay:FILE"} <= {other["name"] for other in said["others"]}
    hosted = next(preset for preset in said["presets"] if preset["price"])
    assert hosted["price"]["output"] == 10.0
