"""Which file is which sample's, which files nearly are, and putting these into place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkle_bench.errors import SubmissionError
from sparkle_bench.records import Sample
from sparkle_bench.submission.layout import check_any, find, places
from sparkle_bench.submission.linking import link


def sample(number: int = 367, theme: str = "time") -> Sample:
    return Sample(
        id=f"Sparkle_{theme}_{number:06d}",
        benchmark="sparkle",
        theme=theme,
        subtheme="dawn",
        scene="morning mist rolling",
        instruction="Dawn, please.",
        source=f"source_videos/{theme}/{number}.mp4",
        sha256="0" * 64,
    )


ONE = sample()
SAMPLES = [ONE, sample(28), sample(2157), sample(598, "location"), sample(29, "season"), sample(298, "style")]
TREE = "time/dawn---morning_mist_rolling/Sparkle_time_000367_edited.mp4"


def put(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


# -- what counts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inside", ["", "videos", "my-model", "my-model/videos", "a/b/c", "a/b/c/videos"])
@pytest.mark.parametrize("name", places(ONE))
def test_a_sample_is_found_in_three_places_however_the_folder_is_wrapped(
    tmp_path: Path, name: str, inside: str
) -> None:
    put(tmp_path / inside, name)
    found = find(tmp_path, SAMPLES)
    assert found.videos == {ONE.id: tmp_path / inside / name}
    assert (found.near, found.extra) == ((), ())


def test_junk_of_other_systems_does_not_hide_the_only_folder(tmp_path: Path) -> None:
    put(tmp_path, f"model/{TREE}", "__MACOSX/model/._x.mp4", ".git/y.mp4", ".DS_Store")
    assert find(tmp_path, SAMPLES).videos == {ONE.id: tmp_path / "model" / TREE}


def test_the_first_place_counts_and_the_other_file_is_an_extra_one(tmp_path: Path) -> None:
    put(tmp_path, TREE, "Sparkle_time_000367.mp4")
    found = find(tmp_path, SAMPLES)
    assert found.videos == {ONE.id: tmp_path / TREE}
    assert found.extra == ("Sparkle_time_000367.mp4",)


def test_the_folder_with_the_most_matches_is_taken(tmp_path: Path) -> None:
    put(tmp_path, "Sparkle_time_000367.mp4", "videos/Sparkle_time_000367.mp4", "videos/Sparkle_time_000028.mp4")
    assert find(tmp_path, SAMPLES).base == tmp_path / "videos"


def test_one_theme_alone_with_flat_names_is_found(tmp_path: Path) -> None:
    put(tmp_path, "time/Sparkle_time_000367_edited.mp4", "time/Sparkle_time_000028_edited.mp4")
    assert len(find(tmp_path, SAMPLES).videos) == 2


# -- near misses -----------------------------------------------------------------------------------------------------

NEAR: dict[str, tuple[str, str]] = {
    "an ending in capitals": ("Sparkle_time_000367_edited.MP4", "ends in .MP4, not in .mp4"),
    "another container": ("Sparkle_time_000367_edited.mov", "ends in .mov, not in .mp4"),
    "an unpadded number": ("Sparkle_time_367.mp4", "writes the id otherwise"),
    "a number padded too much": ("Sparkle_time_00000367_edited.mp4", "writes the id otherwise"),
    "_edit for _edited": ("Sparkle_time_000367_edit.mp4", "ends in _edit, not in _edited"),
    "_output": ("Sparkle_time_000367_output.mp4", "ends in _output, not in _edited"),
    "spaces": ("Sparkle time 000367 edited.mp4", "has spaces in its name"),
    "a space at the end": ("Sparkle_time_000367_edited .mp4", "has spaces in its name"),
    "dashes": ("Sparkle-time-000367_edited.mp4", "writes the id otherwise"),
    "small letters": ("sparkle_time_000367_edited.mp4", "is written in other letters"),
    "a copy": ("Sparkle_time_000367_edited (1).mp4", "has spaces in its name"),
    "full-width letters": ("Ｓparkle_time_000367_edited.mp4", "is written in other letters"),
    "without the benchmark's name": ("time_000367.mp4", "has a part of the id alone"),
    "in another theme's folder": (
        "style/dawn---morning_mist_rolling/Sparkle_time_000367_edited.mp4",
        "lies in style/dawn---morning_mist_rolling, not in",
    ),
    "the number in its theme's folder": ("time/367.mp4", "has a part of the id alone"),
}


@pytest.mark.parametrize(("name", "why"), NEAR.values(), ids=NEAR)
def test_a_near_miss_is_named_explained_and_put_into_place(tmp_path: Path, name: str, why: str) -> None:
    put(tmp_path, "Sparkle_time_000028.mp4", name)
    before = find(tmp_path, SAMPLES)
    assert ONE.id not in before.videos
    assert [(miss.sample_id, miss.path, miss.sure) for miss in before.near] == [(ONE.id, name, True)]
    assert why in before.near[0].why
    made = link(before.base, before.near)
    assert made.links == ((before.near[0].place, name),)
    after = find(tmp_path, SAMPLES)
    assert after.videos[ONE.id].read_bytes() == name.encode()
    assert (after.near, (tmp_path / name).is_file()) == ((), True)


def test_in_a_tree_a_near_miss_belongs_into_its_theme(tmp_path: Path) -> None:
    put(tmp_path, sample(28).edit_path, "time/Sparkle_time_367_edited.mp4")
    near = find(tmp_path, SAMPLES).near
    assert [miss.place for miss in near] == [TREE]
    link(tmp_path, near)
    assert (tmp_path / TREE).read_bytes() == b"time/Sparkle_time_367_edited.mp4"
    assert not (tmp_path / TREE).readlink().is_absolute()


STRANGERS = [
    "Sparkle_time_000367_concat.mp4",  # the authors' side-by-side picture
    "Sparkle_time_000368.mp4",
    "Sparkle_time_0003670.mp4",
    "Sparkle_weather_000367.mp4",
    "teaser.mp4",
    "Sparkle_time_000367_seed2.mp4",
    "367_of_458.mp4",
]


@pytest.mark.parametrize("name", STRANGERS)
def test_a_stranger_is_never_taken_for_a_sample(tmp_path: Path, name: str) -> None:
    put(tmp_path, "Sparkle_time_000028.mp4", name)
    found = find(tmp_path, SAMPLES)
    assert (found.near, found.extra) == ((), (name,))


def test_where_several_files_may_be_meant_none_is_linked(tmp_path: Path) -> None:
    put(tmp_path, "Sparkle_time_000028.mp4", "Sparkle_time_367.mp4", "Sparkle_time_000367_edit.mp4")
    found = find(tmp_path, SAMPLES)
    assert [(miss.sure, "2 files may be meant" in miss.why) for miss in found.near] == [(False, True)] * 2
    assert link(found.base, found.near).links == ()
    assert ONE.id not in find(tmp_path, SAMPLES).videos


def test_a_number_that_two_themes_have_is_not_guessed(tmp_path: Path) -> None:
    twins = [sample(5, "time"), sample(5, "style"), sample(28)]
    put(tmp_path, "Sparkle_time_000028.mp4", "000005.mp4", "style/000005.mp4")
    found = find(tmp_path, twins)
    assert [(miss.sample_id, miss.path) for miss in found.near] == [("Sparkle_style_000005", "style/000005.mp4")]
    assert found.extra == ("000005.mp4",)


def test_a_lone_number_is_offered_but_not_linked(tmp_path: Path) -> None:
    put(tmp_path, "Sparkle_time_000028.mp4", "2157.mp4")
    found = find(tmp_path, SAMPLES)
    assert [(miss.sample_id, miss.sure) for miss in found.near] == [("Sparkle_time_002157", False)]


def test_linking_never_touches_what_is_there(tmp_path: Path) -> None:
    put(tmp_path, "Sparkle_time_000028.mp4", "Sparkle_time_367.mp4", "Sparkle_time_000367_edited.mp4/inside.txt")
    found = find(tmp_path, SAMPLES)
    assert link(found.base, found.near).links == ()
    assert (tmp_path / "Sparkle_time_000367_edited.mp4").is_dir()


def test_a_link_that_went_dead_is_made_anew(tmp_path: Path) -> None:
    put(tmp_path, "Sparkle_time_000028.mp4", "sub/Sparkle_time_367.mp4")
    (tmp_path / "Sparkle_time_000367_edited.mp4").symlink_to("gone.mp4")
    found = find(tmp_path, SAMPLES)
    assert [(miss.path, miss.sure) for miss in found.near] == [("sub/Sparkle_time_367.mp4", True)]
    link(found.base, found.near)
    assert find(tmp_path, SAMPLES).videos[ONE.id].read_bytes() == b"sub/Sparkle_time_367.mp4"


def test_linked_folders_are_looked_into_and_circles_end(tmp_path: Path) -> None:
    put(tmp_path / "elsewhere", "Sparkle_time_367.mp4")
    put(tmp_path / "mine", "Sparkle_time_000028.mp4")
    (tmp_path / "mine/time").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/again").symlink_to(tmp_path / "mine")
    assert [miss.path for miss in find(tmp_path / "mine", SAMPLES).near] == ["time/Sparkle_time_367.mp4"]


def test_an_empty_manifest_is_named_as_what_decides(tmp_path: Path) -> None:
    put(tmp_path, TREE)
    (tmp_path / "manifest.csv").write_text("id,path\n", encoding="utf-8")
    with pytest.raises(SubmissionError, match=r"in each row of manifest\.csv, which alone decides"):
        check_any(find(tmp_path, SAMPLES), SAMPLES, "mine")


# -- nothing matches -------------------------------------------------------------------------------------------------


def test_nothing_matched_shows_what_was_expected_beside_what_was_found(tmp_path: Path) -> None:
    put(tmp_path, "clip1.mp4", "Sparkle_time_367.mp4", "notes.txt")
    with pytest.raises(SubmissionError) as caught:
        check_any(find(tmp_path, SAMPLES), SAMPLES, "my-videos")
    message = str(caught.value)
    for part in (*places(ONE), "clip1.mp4", "1 nearly match: `sparkle-bench validate my-videos --fix`"):
        assert part in message
    assert "notes.txt" not in message


@pytest.mark.parametrize(
    ("name", "says"),
    {"": "no folder, archive or manifest at", "notes.txt": "is no folder, archive"}.items(),
    ids=["missing", "another file"],
)
def test_what_is_no_folder_is_refused(tmp_path: Path, name: str, says: str) -> None:
    put(tmp_path, "notes.txt")
    with pytest.raises(SubmissionError, match=says):
        find(tmp_path / (name or "nowhere"), SAMPLES)


# -- manifests -------------------------------------------------------------------------------------------------------

MANIFEST_FORMS = {
    "csv": ("manifest.csv", f"id,path\n{ONE.id},a/x.mp4\n"),
    "jsonl": ("manifest.jsonl", json.dumps({"id": ONE.id, "path": "a/x.mp4"}) + "\n\n"),
    "json": ("manifest.json", json.dumps({"format": 1, "videos": [{"id": ONE.id, "path": "a/x.mp4", "fps": 16}]})),
    "byte-order mark": ("manifest.csv", f"\ufeffid,path,note\n{ONE.id},a/x.mp4,\n"),
}


@pytest.mark.parametrize(("name", "text"), MANIFEST_FORMS.values(), ids=MANIFEST_FORMS)
@pytest.mark.parametrize("itself", [True, False], ids=["given itself", "lying there"])
def test_a_manifest_alone_decides(tmp_path: Path, name: str, text: str, itself: bool) -> None:
    put(tmp_path, "a/x.mp4", "Sparkle_time_000028.mp4")
    (tmp_path / name).write_text(text, encoding="utf-8")
    found = find(tmp_path / name if itself else tmp_path, SAMPLES)
    assert (found.kind, found.videos) == ("manifest", {ONE.id: tmp_path / "a/x.mp4"})


def test_a_manifest_tells_what_is_absent_what_is_promised_and_which_ids_are_nearly_right(tmp_path: Path) -> None:
    rows = [
        {"id": ONE.id, "path": "x.mp4", "sha256": "ab", "bytes": 3},
        {"id": "Sparkle_time_28", "path": "y.mp4"},
        {"id": "Sparkle_time_002157", "path": "gone.mp4"},
        {"id": "other", "path": "z.mp4"},
    ]
    (tmp_path / "manifest.json").write_text(
        json.dumps({"format": 1, "benchmark": {"digest": "d"}, "videos": rows}), encoding="utf-8"
    )
    found = find(put(tmp_path, "x.mp4"), SAMPLES)
    assert found.absent == {"Sparkle_time_002157": "gone.mp4"}
    assert (found.promised[ONE.id].sha256, found.promised[ONE.id].bytes) == ("ab", 3)
    assert [(miss.sample_id, miss.path, miss.place) for miss in found.near] == [
        ("Sparkle_time_000028", "y.mp4", "Sparkle_time_000028")
    ]
    assert (found.extra, found.benchmark) == (("z.mp4",), "d")


BAD_MANIFESTS = {
    "no path": ("m.csv", "id\nx\n", "needs the fields id and path"),
    "an empty id": ("m.csv", "id,path\n,x.mp4\n", "row 1 lacks one"),
    "twice": ("m.csv", "id,path\na,x.mp4\na,y.mp4\n", "names a more than once"),
    "no JSON": ("m.jsonl", "{", "cannot be read"),
    "a list": ("m.jsonl", "[1]\n", "row 1 lacks one"),
    "a number as a path": ("m.jsonl", '{"id": "a", "path": 3}\n', "row 1 lacks one"),
    "a NUL": ("m.jsonl", '{"id": "a", "path": "x\\u0000"}\n', "row 1 lacks one"),
    "half a surrogate pair": ("m.jsonl", '{"id": "a", "path": "\\ud800"}\n', "row 1 lacks one"),
    "a name too long": ("m.jsonl", json.dumps({"id": "a", "path": "x" * 300}) + "\n", "row 1 lacks one"),
    "deep nesting": ("m.jsonl", "[" * 100_000 + "\n", "cannot be read"),
    "another object": ("m.json", "{}", 'no list under "videos"'),
    "another format": ("m.json", '{"format": 9, "videos": []}', "has the format 9"),
    "Latin-1": ("m.csv", b"id,path\na,\xe9.mp4\n", "cannot be read"),
    "a huge one": ("m.csv", b"id,path\n" + b"#" * (17 << 20), "has more than 16 MB"),
}


@pytest.mark.parametrize(("name", "content", "says"), BAD_MANIFESTS.values(), ids=BAD_MANIFESTS)
def test_a_bad_manifest_is_refused_with_one_line(tmp_path: Path, name: str, content: str | bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SubmissionError) as caught:
        find(tmp_path / name, SAMPLES)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", ["../x.mp4", "/etc/x.mp4", "a/../../x.mp4", "C:/x.mp4", "..\\x.mp4"])
def test_a_strangers_manifest_names_no_file_outside(tmp_path: Path, path: str) -> None:
    (tmp_path / "manifest.jsonl").write_text(json.dumps({"id": ONE.id, "path": path}) + "\n", encoding="utf-8")
    with pytest.raises(SubmissionError, match="names a file outside its folder"):
        find(tmp_path, SAMPLES, inside=True)
    find(tmp_path, SAMPLES)  # one's own may


names = st.lists(
    st.text(alphabet=st.sampled_from("Sparkle_time 0367.mp4-()éＳ"), min_size=1, max_size=30).filter(
        lambda name: name not in (".", "..")
    ),
    max_size=8,
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(names=names)
def test_every_video_is_found_near_or_extra_and_never_two_of_these(
    names: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = put(tmp_path_factory.mktemp("names"), *dict.fromkeys(f"{name}.mp4" for name in names))
    found = find(folder, SAMPLES)
    sorts = [
        *(path.name for path in found.videos.values()),
        *(miss.path for miss in found.near),
        *found.extra,
    ]
    there = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    assert sorted(sorts) == there
    link(found.base, found.near)
    after = find(folder, SAMPLES)
    assert set(after.videos) >= set(found.videos)
