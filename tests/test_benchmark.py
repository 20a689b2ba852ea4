"""Reading Sparkle-Bench as published, refusing what is malformed, and choosing samples."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sparkle_bench.benchmark import COMPLETE, THEMES, Benchmark, Selection, is_inside, load, select
from sparkle_bench.errors import BenchmarkError
from tests import makers


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A benchmark of three samples per theme; tests only read it."""
    return makers.write_benchmark(tmp_path_factory.mktemp("made") / "bench", samples_per_theme=3)


@pytest.fixture
def bench(made: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change."""
    return Path(shutil.copytree(made, tmp_path / "bench"))


def rows(root: Path, theme: str = "time") -> list[list[str]]:
    with (root / f"{theme}_bench.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))[1:]


def set_rows(root: Path, new: list[list[str]], theme: str = "time") -> None:
    makers.write_table(root / f"{theme}_bench.csv", [(row[0], row[1], row[2]) for row in new])


def metadata(root: Path, theme: str = "time") -> list[dict[str, Any]]:
    text = (root / f"{theme}_metadata.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.split("\n") if line]


def set_metadata(root: Path, new: list[dict[str, Any]], theme: str = "time") -> None:
    text = "".join(json.dumps(line) + "\n" for line in new)
    (root / f"{theme}_metadata.jsonl").write_text(text, encoding="utf-8")


def refusal(root: Path) -> str:
    """Load a benchmark that must be refused and return the message, which is one line."""
    with pytest.raises(BenchmarkError) as caught:
        load(root)
    message = str(caught.value)
    assert "\n" not in message
    assert "\0" not in message
    return message


# -- what is read ------------------------------------------------------------------------------------------------------


def test_published_layout_is_read(made: Path) -> None:
    benchmark = load(made)
    assert [s.id for s in benchmark.samples] == [
        f"Sparkle_{theme}_{number:06d}" for theme in THEMES for number in (1, 2, 3)
    ]
    third = benchmark.samples[2]
    assert (third.theme, third.subtheme, third.scene) == ("location", "rural", "vineyard rows with rustling leaves")
    assert third.instruction == "Move the subject to another location with drifting fog, number 3."
    assert third.source == "source_videos/location/Sparkle_location_000003.mp4"
    assert third.source_path == made / third.source
    assert third.benchmark == benchmark.name == "sparkle"
    assert third.edit_path == ("location/rural---vineyard_rows_with_rustling_leaves/Sparkle_location_000003_edited.mp4")
    assert len({s.sha256 for s in benchmark.samples}) == 12


def test_rows_and_lines_in_different_orders_are_joined_by_id(bench: Path) -> None:
    ids = [Path(row[2]).stem for row in rows(bench)]
    assert ids == [line["id"] for line in reversed(metadata(bench))]
    assert ids != [line["id"] for line in metadata(bench)]
    keywords = {line["id"]: line["metadata"]["chosen_keyword"] for line in metadata(bench)}
    for sample in load(bench).samples:
        if sample.theme == "time":
            assert f"{sample.subtheme}: {sample.scene}" == keywords[sample.id]


@pytest.mark.parametrize(
    "prompt",
    [
        pytest.param("To a beach, with palms, and sun.", id="commas"),
        pytest.param('To the "old" town', id="doubled quotes"),
        pytest.param("First line\nsecond line", id="LF in a cell"),
        pytest.param("First line\r\nsecond line", id="CRLF in a cell"),
        pytest.param("Zum Café, 夜明け — 🌅", id="UTF-8"),
        pytest.param("Line\u2028separator and \x85 next line", id="Unicode line separators"),
        pytest.param(" blanks at the ends ", id="blanks"),
        pytest.param("{{ instruction }} {edit_prompt} {0}", id="braces"),
    ],
)
def test_instruction_comes_out_verbatim(bench: Path, prompt: str) -> None:
    table = rows(bench)
    table[1][1] = prompt
    set_rows(bench, table)
    by_id = {s.id: s for s in load(bench).samples}
    assert by_id["Sparkle_time_000002"].instruction == prompt
    assert len(by_id) == 12


@pytest.mark.parametrize("bom", [False, True], ids=["no BOM", "BOM"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_line_ends_and_byte_order_mark_do_not_matter(bench: Path, newline: str, bom: bool) -> None:
    before = load(bench)
    for theme in THEMES:
        table = [(row[0], row[1], row[2]) for row in rows(bench, theme)]
        makers.write_table(bench / f"{theme}_bench.csv", table, newline=newline, bom=bom)
        path = bench / f"{theme}_metadata.jsonl"
        text = path.read_bytes().replace(b"\n", newline.encode())
        path.write_bytes((b"\xef\xbb\xbf" if bom else b"") + text)
    after = load(bench)
    assert after == before
    assert after.digest == before.digest


def test_metadata_with_blank_lines_and_no_last_line_break_is_read(bench: Path) -> None:
    path = bench / "time_metadata.jsonl"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\n\n").rstrip(b"\n"))
    assert len(load(bench).samples) == 12


def test_other_columns_and_their_order_do_not_matter(bench: Path) -> None:
    before = load(bench)
    lines = ["original_video,note,edited_type,prompt"]
    lines += [f'{row[2]},extra,{row[0]},"{row[1].replace(chr(34), chr(34) * 2)}"' for row in rows(bench)]
    (bench / "time_bench.csv").write_text("\n".join(lines), encoding="utf-8")
    assert load(bench).digest == before.digest


def test_keyword_splits_at_its_first_colon(bench: Path) -> None:
    lines = metadata(bench)
    lines[0]["metadata"]["chosen_keyword"] = "dawn: mist: rolling: over"
    set_metadata(bench, lines)
    sample = {s.id: s for s in load(bench).samples}[lines[0]["id"]]
    assert (sample.subtheme, sample.scene) == ("dawn", "mist: rolling: over")


def test_csv_instruction_counts_where_the_files_differ(bench: Path) -> None:
    lines = metadata(bench)
    lines[0]["prompt"] = "Something else entirely."
    set_metadata(bench, lines)
    sample = {s.id: s for s in load(bench).samples}[lines[0]["id"]]
    assert sample.instruction == makers.instruction("time", 3)


@pytest.mark.parametrize("kept", THEMES)
def test_one_theme_alone_is_allowed_and_partial(bench: Path, kept: str) -> None:
    for theme in THEMES:
        if theme != kept:
            (bench / f"{theme}_bench.csv").unlink()
            (bench / f"{theme}_metadata.jsonl").unlink()
    benchmark = load(bench)
    assert benchmark.partial
    assert {s.theme for s in benchmark.samples} == {kept}
    assert benchmark.counts.themes == 1


def test_partial_means_other_counts_than_published(made: Path) -> None:
    benchmark = load(made)
    assert benchmark.partial
    assert benchmark.complete == COMPLETE
    assert str(COMPLETE) == "458 samples, 4 themes, 21 subthemes, 97 scenes"
    assert not Benchmark(name="made", samples=benchmark.samples, complete=benchmark.counts).partial


def test_real_mini_benchmark(mini: Path) -> None:
    benchmark = load(mini)
    assert str(benchmark.counts) == "8 samples, 4 themes, 6 subthemes, 8 scenes"
    assert benchmark.partial
    assert [s.theme for s in benchmark.samples] == [theme for theme in THEMES for _ in range(2)]
    by_id = {s.id: s for s in benchmark.samples}
    style = by_id["Sparkle_style_000298"]
    assert (style.subtheme, style.scene) == ("era", "medieval stone-and-timber village setting")
    assert style.edit_path == "style/era---medieval_stone-and-timber_village_setting/Sparkle_style_000298_edited.mp4"
    assert style.instruction.startswith("Move the subject to a medieval stone-and-timber village setting with")


def test_edit_paths_are_those_of_the_real_submission(mini: Path, data: Path) -> None:
    handed_in = data / "submissions" / "sparkle-data"
    assert [s.id for s in load(mini).samples if not (handed_in / s.edit_path).is_file()] == []


# -- what is refused ---------------------------------------------------------------------------------------------------

Damage = Callable[[Path], None]


def set_source(path: str) -> Damage:
    """Point one row at another file."""

    def damage(root: Path) -> None:
        table = rows(root)
        table[1][2] = path
        set_rows(root, table)

    return damage


def set_keyword(keyword: object) -> Damage:
    """Give one metadata line another keyword."""

    def damage(root: Path) -> None:
        lines = metadata(root)
        lines[1]["metadata"]["chosen_keyword"] = keyword
        set_metadata(root, lines)

    return damage


def set_id(sample_id: object) -> Damage:
    """Give one metadata line another id."""

    def damage(root: Path) -> None:
        lines = metadata(root)
        lines[1]["id"] = sample_id
        set_metadata(root, lines)

    return damage


def set_cell(column: int, text: str) -> Damage:
    """Put another text into a cell of the first row."""

    def damage(root: Path) -> None:
        table = rows(root)
        table[0][column] = text
        set_rows(root, table)

    return damage


def rename_column(old: str, new: str) -> Damage:
    """Give a column another name."""

    def damage(root: Path) -> None:
        path = root / "time_bench.csv"
        path.write_bytes(path.read_bytes().replace(old.encode(), new.encode(), 1))

    return damage


def remove(name: str) -> Damage:
    """Remove a file or folder."""

    def damage(root: Path) -> None:
        path = root / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()

    return damage


def append(name: str, content: bytes) -> Damage:
    """Append bytes to a file."""

    def damage(root: Path) -> None:
        with (root / name).open("ab") as file:
            file.write(content)

    return damage


def drop_metadata(count: int) -> Damage:
    """Leave out the last lines of the metadata."""
    return lambda root: set_metadata(root, metadata(root)[:-count])


def drop_rows(count: int) -> Damage:
    """Leave out the last rows of the CSV."""
    return lambda root: set_rows(root, rows(root)[:-count])


def twice_in_the_table(root: Path) -> None:
    set_rows(root, [*rows(root), rows(root)[0]])


def twice_in_the_metadata(root: Path) -> None:
    set_metadata(root, [*metadata(root), metadata(root)[0]])


def twice_across_themes(root: Path) -> None:
    stolen = rows(root)[0]
    sample_id = Path(stolen[2]).stem
    set_rows(root, [*rows(root, "style"), ["style", stolen[1], stolen[2]]], "style")
    line = {"id": sample_id, "metadata": {"edit_type": "style", "chosen_keyword": "era: x"}}
    set_metadata(root, [*metadata(root, "style"), line], "style")


def same_stem_in_two_folders(root: Path) -> None:
    makers.write_clip(root / "other" / "Sparkle_time_000001.mp4")
    set_rows(root, [*rows(root), ["time", "Again.", "other/Sparkle_time_000001.mp4"]])


def folder_for_source(root: Path) -> None:
    source = root / "source_videos/time/Sparkle_time_000001.mp4"
    source.unlink()
    source.mkdir()


def no_edit_type(root: Path) -> None:
    lines = metadata(root)
    del lines[0]["metadata"]["edit_type"]
    set_metadata(root, lines)


def empty_table(root: Path) -> None:
    (root / "time_bench.csv").write_bytes(b"")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        pytest.param(remove("time_bench.csv"), ["time_bench.csv"], id="file missing: CSV"),
        pytest.param(remove("time_metadata.jsonl"), ["time_metadata.jsonl"], id="file missing: metadata"),
        pytest.param(
            remove("source_videos/time/Sparkle_time_000002.mp4"),
            ["1 source videos that are missing", "Sparkle_time_000002.mp4"],
            id="source missing",
        ),
        pytest.param(
            remove("source_videos/time"),
            ["3 source videos that are missing", "Sparkle_time_000001.mp4"],
            id="sources missing",
        ),
        pytest.param(
            remove("source_videos"),
            ["12 source videos", "Sparkle_location_000001.mp4", "and 9 more"],
            id="the first few and the count",
        ),
        pytest.param(folder_for_source, ["1 source videos", "Sparkle_time_000001.mp4"], id="source is a folder"),
        pytest.param(rename_column("prompt", "text"), ["1 columns", "prompt", "time_bench"], id="column missing"),
        pytest.param(
            rename_column("prompt,original_video", "a,b"), ["2 columns", "prompt, original_video"], id="columns missing"
        ),
        pytest.param(empty_table, ["time_"], id="CSV empty"),
        pytest.param(
            drop_metadata(1), ["1 ids of time_bench.csv without", "Sparkle_time_000001"], id="id not in metadata"
        ),
        pytest.param(drop_rows(1), ["1 ids of time_metadata.jsonl", "Sparkle_time_000003"], id="id not in the CSV"),
        pytest.param(twice_in_the_table, ["1 ids", "more than once", "Sparkle_time_000001"], id="id twice in the CSV"),
        pytest.param(twice_in_the_metadata, ["1 ids", "more than once", "Sparkle_time"], id="id twice in metadata"),
        pytest.param(
            twice_across_themes, ["1 ids", "more than once", "Sparkle_time_000001"], id="id twice across themes"
        ),
        pytest.param(
            same_stem_in_two_folders, ["1 ids", "more than once", "Sparkle_time_000001"], id="one id for two videos"
        ),
        pytest.param(set_source("../x/Sparkle_time_000002.mp4"), ["1 paths that leave"], id="path: .. first"),
        pytest.param(set_source("a/../../Sparkle_time_000002.mp4"), ["1 paths that leave"], id="path: .. inside"),
        pytest.param(set_source("/etc/Sparkle_time_000002.mp4"), ["1 paths that leave"], id="path: absolute"),
        pytest.param(set_source("..\\Sparkle_time_000002.mp4"), ["1 paths that leave"], id="path: backslash"),
        pytest.param(set_source("C:/Sparkle_time_000002.mp4"), ["1 paths that leave"], id="path: drive"),
        pytest.param(set_source("C:Sparkle_time_000002.mp4"), ["1 paths that leave"], id="path: drive, relative"),
        pytest.param(set_source("a/\0/Sparkle_time_000002.mp4"), ["time_bench.csv"], id="path: NUL"),
        pytest.param(set_source("../\n/Sparkle_time_000002.mp4"), ["1 paths that leave"], id="path: line break"),
        pytest.param(set_source(".."), ["1 paths that leave"], id="path: .. alone"),
        pytest.param(set_source("."), ["time"], id="path: the folder itself"),
        pytest.param(set_keyword("..: scene"), ["1 lines", "line 2"], id="label: .. as subtheme"),
        pytest.param(set_keyword("dawn: .."), ["1 lines", "line 2"], id="label: .. as scene"),
        pytest.param(set_keyword("dawn: a/../../b"), ["1 lines", "line 2"], id="label: .. inside the scene"),
        pytest.param(set_keyword("/dawn: mist"), ["1 lines", "line 2"], id="label: absolute"),
        pytest.param(set_keyword("dawn: a\\b"), ["1 lines", "line 2"], id="label: backslash"),
        pytest.param(set_keyword("dawn: a\0b"), ["1 lines", "line 2"], id="label: NUL"),
        pytest.param(set_keyword("dawn"), ["1 lines", "line 2"], id="label: no scene"),
        pytest.param(set_keyword("dawn:mist"), ["1 lines", "line 2"], id="label: no blank after the colon"),
        pytest.param(set_keyword(7), ["1 lines", "line 2"], id="label: a number"),
        pytest.param(set_keyword(None), ["1 lines", "line 2"], id="label: null"),
        pytest.param(set_keyword("dawn: "), ["1 lines", "line 2"], id="label: empty scene"),
        pytest.param(set_keyword(": mist"), ["1 lines", "line 2"], id="label: empty subtheme"),
        pytest.param(set_id(["x"]), ["time_metadata.jsonl"], id="id: a list"),
        pytest.param(set_id(7), ["time_metadata.jsonl"], id="id: a number"),
        pytest.param(set_id(None), ["time_metadata.jsonl"], id="id: null"),
        pytest.param(
            append(
                "time_metadata.jsonl", b'{"id": 7, "metadata": {"edit_type": "time", "chosen_keyword": "dawn: x"}}\n'
            ),
            ["time_metadata.jsonl"],
            id="id: a number, one line more",
        ),
        pytest.param(set_id("a\nb"), ["time_metadata.jsonl"], id="id: a line break"),
        pytest.param(no_edit_type, ["1 lines", "line 1"], id="edit_type missing"),
        pytest.param(append("time_metadata.jsonl", b"{not json\n"), ["1 lines", "line 4"], id="bad JSON"),
        pytest.param(append("time_metadata.jsonl", b"[1, 2]\n"), ["1 lines", "line 4"], id="JSON, no object"),
        pytest.param(
            append("time_metadata.jsonl", b"{\n" * 5), ["5 lines", "line 4, line 5, line 6 and 2 more"], id="bad lines"
        ),
        pytest.param(append("time_metadata.jsonl", b"[" * 100_000), ["1 lines", "line 4"], id="JSON nested too deep"),
        pytest.param(append("time_metadata.jsonl", b"\xff\xfe\n"), ["time_metadata.jsonl"], id="metadata not UTF-8"),
        pytest.param(append("time_bench.csv", b"time,\xff,x.mp4\n"), ["time_bench.csv"], id="CSV not UTF-8"),
        pytest.param(set_cell(1, ""), ["1 rows with empty", "2"], id="instruction empty"),
        pytest.param(set_cell(2, ""), ["1 rows with empty", "2"], id="source empty"),
        pytest.param(append("time_bench.csv", b"time,only two\n"), ["1 rows with empty", "5"], id="cell missing"),
        pytest.param(append("time_bench.csv", b"time,a,b.mp4,d\n"), ["1 rows with empty", "5"], id="extra cell"),
        pytest.param(append("time_bench.csv", b"\n\ntime,no\n"), ["1 rows with empty"], id="cell missing, blank lines"),
        pytest.param(set_cell(0, "season"), ["1 rows of another theme", "season"], id="row of another theme"),
        pytest.param(
            append("time_bench.csv", b'time,"' + b"x" * 200_000 + b'",a.mp4\n'), ["time_bench.csv"], id="huge cell"
        ),
    ],
)
def test_malformed_benchmark_is_refused_in_one_line(bench: Path, damage: Damage, said: list[str]) -> None:
    damage(bench)
    message = refusal(bench)
    for part in said:
        assert part in message


@pytest.mark.parametrize("blank", ["   ", "\n", "\t"], ids=["blanks", "line break", "tab"])
def test_instruction_of_blanks_is_refused(bench: Path, blank: str) -> None:
    set_cell(1, blank)(bench)
    assert "time_bench.csv" in refusal(bench)


def test_missing_folder_is_refused_with_what_to_do(tmp_path: Path) -> None:
    message = refusal(tmp_path / "nowhere")
    assert "nowhere" in message
    assert "sparkle-bench download" in message
    assert "--bench" in message


def test_folder_without_any_theme_is_refused(tmp_path: Path) -> None:
    message = refusal(tmp_path)
    assert "location_bench.csv" in message
    assert "style_bench.csv" in message


def test_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    assert "no benchmark folder" in refusal(tmp_path / "file")


@pytest.mark.parametrize(
    ("path", "inside"),
    [
        ("source_videos/time/a.mp4", True),
        ("a..b/c..mp4", True),
        ("a/...", True),
        ("..", False),
        ("a/..", False),
        ("/a", False),
        ("//server/share", False),
        ("C:/a", False),
        ("c:a", False),
        ("a\\b", False),
        ("a\0b", False),
    ],
)
def test_is_inside(path: str, inside: bool) -> None:
    assert is_inside(path) is inside


# -- the version -------------------------------------------------------------------------------------------------------


def other_source(root: Path) -> None:
    makers.write_clip(root / "source_videos/time/Sparkle_time_000002.mp4", seed=99)


def other_id(root: Path) -> None:
    table, lines = rows(root), metadata(root)
    (root / table[0][2]).rename(root / "source_videos/time/Sparkle_time_000009.mp4")
    table[0][2] = "source_videos/time/Sparkle_time_000009.mp4"
    lines[-1]["id"] = "Sparkle_time_000009"
    set_rows(root, table)
    set_metadata(root, lines)


def without_one(root: Path) -> None:
    set_rows(root, rows(root)[1:])
    set_metadata(root, metadata(root)[:-1])


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(set_cell(1, "Another instruction."), id="an instruction"),
        pytest.param(set_keyword("night: mist"), id="a subtheme"),
        pytest.param(set_keyword("dusk: another scene"), id="a scene"),
        pytest.param(other_source, id="a source's bytes"),
        pytest.param(other_id, id="an id"),
        pytest.param(without_one, id="a sample less"),
    ],
)
def test_digest_changes_with(bench: Path, change: Damage) -> None:
    before = load(bench).digest
    change(bench)
    assert load(bench).digest != before


def test_digest_does_not_change_with_row_order_or_folder(bench: Path, made: Path) -> None:
    for theme in THEMES:
        set_rows(bench, rows(bench, theme)[::-1], theme)
        set_metadata(bench, metadata(bench, theme)[1:] + metadata(bench, theme)[:1], theme)
    there, here = load(made), load(bench)
    assert [s.id for s in there.samples] != [s.id for s in here.samples]
    assert there.digest == here.digest


# -- choosing ----------------------------------------------------------------------------------------------------------


def chosen(made: Path, selection: Selection) -> list[str]:
    return [s.id for s in select(load(made), selection)]


def test_empty_selection_chooses_everything(made: Path) -> None:
    assert chosen(made, Selection()) == [s.id for s in load(made).samples]


def test_selection_by_theme_keeps_the_benchmarks_order(made: Path) -> None:
    ids = chosen(made, Selection(themes=("style", "season")))
    assert ids == [f"Sparkle_{theme}_{n:06d}" for theme in ("season", "style") for n in (1, 2, 3)]


def test_selection_by_id_keeps_the_benchmarks_order(made: Path) -> None:
    ids = ("Sparkle_time_000002", "Sparkle_season_000001")
    assert chosen(made, Selection(ids=ids)) == ["Sparkle_season_000001", "Sparkle_time_000002"]


def test_theme_and_id_must_both_fit(made: Path) -> None:
    ids = ("Sparkle_time_000002", "Sparkle_season_000001")
    assert chosen(made, Selection(themes=("time",), ids=ids)) == ["Sparkle_time_000002"]


@pytest.mark.parametrize("limit", [1, 5, 12, 100])
def test_limit_takes_the_first(made: Path, limit: int) -> None:
    assert chosen(made, Selection(limit=limit)) == chosen(made, Selection())[:limit]


@pytest.mark.parametrize("count", [1, 2, 3, 5, 12, 13])
def test_shards_are_disjoint_and_cover(made: Path, count: int) -> None:
    shards = [chosen(made, Selection(shard=(index, count))) for index in range(count)]
    together = [sample_id for shard in shards for sample_id in shard]
    assert len(together) == len(set(together))
    assert set(together) == set(chosen(made, Selection()))
    assert max(map(len, shards)) - min(map(len, shards)) <= 1


def test_shards_divide_what_theme_and_limit_left(made: Path) -> None:
    first = chosen(made, Selection(themes=("time", "style"), limit=4, shard=(0, 2)))
    second = chosen(made, Selection(themes=("time", "style"), limit=4, shard=(1, 2)))
    assert sorted(first + second) == sorted(chosen(made, Selection(themes=("time", "style"), limit=4)))
    assert len(first) == len(second) == 2


@pytest.mark.parametrize(
    ("selection", "said"),
    [
        pytest.param(Selection(themes=("tme",)), ["no theme 'tme'", "did you mean time?"], id="theme, near"),
        pytest.param(Selection(themes=("xyzzy",)), ["known: location, season, time, style"], id="theme, nothing near"),
        pytest.param(
            Selection(ids=("Sparkle_time_00002",)), ["no sample", "did you mean", "Sparkle_time_000002"], id="id, near"
        ),
        pytest.param(Selection(ids=("?",)), ["no sample '?'", "known: Sparkle_location_000001"], id="id, nothing near"),
    ],
)
def test_unknown_choice_is_refused_with_near_misses(made: Path, selection: Selection, said: list[str]) -> None:
    with pytest.raises(BenchmarkError) as caught:
        select(load(made), selection)
    for part in said:
        assert part in str(caught.value)


@pytest.mark.parametrize("shard", [(2, 2), (-1, 2), (0, 0), (1, -1)])
def test_impossible_shard_is_refused(shard: tuple[int, int]) -> None:
    with pytest.raises(BenchmarkError, match="shards are counted from 0"):
        Selection(shard=shard)


@pytest.mark.parametrize("limit", [0, -1])
def test_impossible_limit_is_refused(limit: int) -> None:
    with pytest.raises(BenchmarkError, match="leaves no samples"):
        Selection(limit=limit)


def test_to_dataset(made: Path) -> None:
    benchmark = load(made)
    dataset = benchmark.to_dataset()
    assert dataset.num_rows == 12
    assert {"id", "theme", "subtheme", "scene", "instruction", "source"} <= set(dataset.column_names)
    row = dataset[4]
    assert row["id"] == "Sparkle_season_000002"
    assert row["instruction"] == makers.instruction("season", 2)
    assert Path(row["source"]) == benchmark.samples[4].source_path
    assert Path(row["source"]).is_file()
