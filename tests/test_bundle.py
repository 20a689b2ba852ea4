"""A folder to publish: whole, within its size, with relative links alone, and never more than was meant for the world."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import av
import numpy as np
import pytest

from sparkle_bench import disk, video
from sparkle_bench.benchmark import Selection
from sparkle_bench.bundle import Bundled, Wish, bundle, shares
from sparkle_bench.bundle.clips import Content
from sparkle_bench.errors import BenchmarkError, StoreError
from sparkle_bench.leaderboard import Board, rebuild
from sparkle_bench.records import Edit, to_json
from sparkle_bench.store import Store
from tests import cli, made_results, makers, page

MADE = made_results.Made(
    models=4, samples=10, repeats=1, no_edit=0, gappy=0, partial=0, videos=True, hostile=True,
    judges=("made-judge-0000", "other-judge-1111"),
)  # fmt: skip
MODELS = made_results.names(MADE)
TEXTS = {".html", ".css", ".js", ".svg", ".csv", ".json", ".md", ".tex"}
LIST = ".sparkle-bundle.json"
PLAIN_TAGS = {
    "major_brand", "minor_version", "compatible_brands", "encoder", "language", "handler_name", "vendor_id",
}  # fmt: skip
NAMES = re.compile(r"[A-Za-z0-9._+-]{1,110}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class World:
    """Results with videos, the benchmark, and the boards of both judges."""

    root: Path
    boards: list[Board]

    @property
    def store(self) -> Store:
        return Store(root=self.root)

    @property
    def bench(self) -> Path:
        return self.root / made_results.BENCH

    def bundle(self, folder: Path, telling: Any = None, **how: Any) -> Bundled:
        return bundle(
            self.store, self.boards, Wish(**{"folder": folder, "bench": self.bench, "workers": 2, **how}), telling
        )


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> World:
    root = tmp_path_factory.mktemp("world")
    made_results.write(root, MADE)
    return World(root=root, boards=rebuild(Store(root=root)))


@pytest.fixture(scope="module")
def published(original: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of all there is; read-only. Its folder's name tells the page's tests where its root is."""
    folder = tmp_path_factory.mktemp("site") / "leaderboards"
    original.bundle(folder)
    return folder


@pytest.fixture
def world(original: World, tmp_path: Path) -> World:
    """A copy to be changed; the boards are those of the original."""
    shutil.copytree(original.root, tmp_path / "world")
    return dataclasses.replace(original, root=tmp_path / "world")


def files(folder: Path) -> dict[str, Path]:
    return {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}


def contents(folder: Path) -> dict[str, bytes]:
    return {name: path.read_bytes() for name, path in files(folder).items()}


def media(folder: Path, judge: str = MADE.judges[0]) -> dict[str, Any]:
    text = (folder / "sparkle" / judge / "page" / "media.js").read_text(encoding="ascii")
    found: dict[str, Any] = json.loads(text.removeprefix("sparkle.media(").removesuffix(");\n"))
    return found


def linked(folder: Path, judge: str = MADE.judges[0]) -> set[str]:
    """Return the paths of all videos that a board points to, from the bundle's folder."""
    found = media(folder, judge)["files"]
    paths = [*found["source"].values(), *(path for model in found["models"].values() for path in model.values())]
    return {Path(os.path.normpath(folder / "sparkle" / judge / path)).relative_to(folder).as_posix() for path in paths}


# -- what is in it ---------------------------------------------------------------------------------------------------


class Links(HTMLParser):
    """Notes what a page links to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in ("href", "src") and value and tag != "meta"]


def test_every_link_is_relative_and_leads_to_a_file_of_the_bundle(published: Path) -> None:
    there, seen = files(published), 0
    for name, path in there.items():
        if path.suffix != ".html":
            continue
        parser = Links()
        parser.feed(path.read_text(encoding="utf-8"))
        for link in parser.found:
            if link.startswith(("#", "data:,", "https://", "http://")):  # a route; no icon; a link that a card declares
                continue
            target = os.path.normpath(Path(name).parent / unquote(link.partition("#")[0].partition("?")[0]))
            assert not Path(target).is_absolute()
            assert target in there, f"{link} in {name}"
            seen += 1
    assert seen > 20


@pytest.mark.parametrize("judge", MADE.judges)
def test_every_board_says_where_its_videos_and_posters_are(judge: str, published: Path, original: World) -> None:
    said = media(published, judge)
    samples = {sample.id for sample in made_results.samples(MADE)}
    assert (said["results"], said["sources"]) == (None, None)
    assert set(said["files"]["source"]) == samples
    assert set(said["models"]) == set(said["files"]["models"]) == set(MODELS)
    assert all(set(paths) == samples for paths in said["files"]["models"].values())
    for path in linked(published, judge):
        assert video.probe(published / path).frames in (81, 77, 65)
        assert 0 < (published / path).with_suffix(".jpg").stat().st_size < 30_000
    shown = video.probe(published / "sparkle" / judge / said["files"]["models"][MODELS[2]][min(samples)])
    edit = original.store.edits(MODELS[2])[min(samples)]
    assert edit.probe is not None
    assert (shown.frames, shown.fps) == (edit.probe.frames, edit.probe.fps)


def test_equal_videos_are_one_file_for_all_boards_and_models(published: Path, original: World) -> None:
    hashes = {edit.sha256 for model in MODELS for edit in original.store.edits(model).values()}
    assert len([name for name in files(published) if name.endswith(".mp4")]) == len(hashes)
    assert linked(published, MADE.judges[0]) == linked(published, MADE.judges[1])
    said = media(published)["files"]
    assert said["models"]["identity"] == said["source"], "unedited clips are the sources"


def test_it_can_be_published_as_it_is(published: Path) -> None:
    assert (published / ".nojekyll").read_bytes() == b""
    head = (published / "README.md").read_text(encoding="utf-8").split("---\n")[1]
    assert "sdk: static\n" in head
    assert "app_file: index.html\n" in head
    assert max(path.stat().st_size for path in files(published).values()) < 100_000_000


def test_it_tells_nothing_of_the_machine(published: Path, original: World) -> None:
    away = [str(original.root), str(Path.home()) + "/", "/home/", "/tmp/", "file://"]
    for name, path in files(published).items():
        data = path.read_bytes()
        if path.suffix in TEXTS or path.name == LIST:
            text = data.decode()
            assert [word for word in away if word in text] == [], name
        if path.suffix == ".mp4":
            with av.open(str(path)) as container:
                tags = {**container.metadata, **container.streams.video[0].metadata}
            assert set(tags) <= PLAIN_TAGS


def test_names_of_strangers_are_no_names_of_files(published: Path) -> None:
    ids = [sample.id for sample in made_results.samples(MADE)]
    assert any("<script>" in name for name in ids), "the test stands on hostile names"
    parts = {part for name in files(published) for part in name.split("/")}
    assert [part for part in parts if not NAMES.fullmatch(part)] == []
    videos = [name for name in files(published) if name.startswith("videos/")]
    assert all(re.fullmatch(r"videos/[0-9a-f]{2}/[0-9a-f]{24}\.(mp4|jpg)", name) for name in videos)


def test_the_report_counts_what_is_there(world: World, tmp_path: Path) -> None:
    done = world.bundle(tmp_path / "site")
    there = files(tmp_path / "site")
    assert (done.boards, done.left_out, done.absent, done.level, done.removed) == (2, (), 0, None, 0)
    assert done.clips == 10 * (1 + 4)
    assert done.videos == done.made == len([name for name in there if name.endswith(".mp4")])
    assert done.bytes == sum(path.stat().st_size for path in there.values())


# -- again -----------------------------------------------------------------------------------------------------------


class Count:
    """Counts what had to be made, and may stop it."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.total, self.done, self._stop = 0, 0, stop_after

    def start(self, total: int) -> None:
        self.total = total

    def step(self, *, ok: bool) -> None:
        self.done += 1
        if self.done == self._stop:
            raise KeyboardInterrupt


def test_a_second_run_makes_nothing_and_writes_nothing(world: World, tmp_path: Path) -> None:
    world.bundle(tmp_path / "site")
    before = {name: (path.stat().st_mtime_ns, path.read_bytes()) for name, path in files(tmp_path / "site").items()}
    count = Count()
    again = world.bundle(tmp_path / "site", count)
    assert (count.total, again.made, again.removed) == (0, 0, 0)
    after = {name: (path.stat().st_mtime_ns, path.read_bytes()) for name, path in files(tmp_path / "site").items()}
    changed = {name for name in before if before[name] != after[name]}
    assert before.keys() == after.keys()
    assert changed <= {LIST}, "the list is written before and after"


def test_two_bundles_of_the_same_are_the_same(published: Path, original: World, tmp_path: Path) -> None:
    original.bundle(tmp_path / "site", workers=1)
    assert contents(tmp_path / "site") == contents(published)


def test_a_run_that_was_stopped_is_gone_on_with(published: Path, world: World, tmp_path: Path) -> None:
    site = tmp_path / "site"
    with pytest.raises(KeyboardInterrupt):
        world.bundle(site, Count(stop_after=1), workers=1)
    half = [name for name in files(site) if name.endswith(".mp4")]
    assert half
    whole = next(name for name in files(published) if name.endswith(".mp4") and name not in half)
    left_over = site / Path(whole).parent / f".{Path(whole).name}.4711.tmp"
    left_over.parent.mkdir(parents=True, exist_ok=True)
    left_over.write_bytes(b"half")
    count = Count()
    world.bundle(site, count)
    assert count.total == len(linked(published)) - len(half)
    assert contents(site) == contents(published)


def test_what_is_gone_is_removed_and_what_is_others_stays(world: World, tmp_path: Path) -> None:
    site = tmp_path / "site"
    world.bundle(site)
    (site / "CNAME").write_text("example.org")
    (site / "videos" / "mine.mp4").write_bytes(b"mine")
    (site / "notes").mkdir()
    (site / "notes" / "a.txt").write_text("mine")
    done = world.bundle(site, models=(MODELS[2],), bench=None)
    assert done.removed > 0
    there = files(site)
    assert {"CNAME", "videos/mine.mp4", "notes/a.txt"} <= set(there)
    assert {name for name in there if name.endswith(".mp4")} == {*linked(site), "videos/mine.mp4"}
    assert set(media(site)["files"]["models"]) == {MODELS[2]}
    assert not [path for path in (site / "videos").iterdir() if path.is_dir() and not any(path.iterdir())]


def test_a_board_that_is_gone_leaves_the_bundle(world: World, tmp_path: Path) -> None:
    world.bundle(tmp_path / "site")
    shutil.rmtree(world.root / "results" / MODELS[1] / "judged" / MADE.judges[1])
    for model in MODELS:
        shutil.rmtree(world.root / "results" / model / "judged" / MADE.judges[1], ignore_errors=True)
    now = dataclasses.replace(world, boards=rebuild(world.store))
    now.bundle(tmp_path / "site")
    assert [path.name for path in (tmp_path / "site" / "sparkle").iterdir()] == [MADE.judges[0]]


def test_a_readme_that_somebody_changed_is_left_alone(world: World, tmp_path: Path) -> None:
    readme = tmp_path / "site" / "README.md"
    world.bundle(tmp_path / "site")
    readme.write_text("---\nsdk: static\ntitle: Mine\n---\n")
    world.bundle(tmp_path / "site")
    assert "title: Mine" in readme.read_text()


# -- which videos ----------------------------------------------------------------------------------------------------


def test_models_and_samples_are_chosen(world: World, tmp_path: Path) -> None:
    theme = made_results.samples(MADE)[0].theme
    ids = {sample.id for sample in made_results.samples(MADE) if sample.theme == theme}
    world.bundle(tmp_path / "site", models=MODELS[:2], selection=Selection(themes=(theme,), limit=2))
    said = media(tmp_path / "site")["files"]
    assert set(said["models"]) == set(MODELS[:2])
    assert set(said["source"]) < ids
    assert len(said["source"]) == 2
    page_data = (tmp_path / "site" / "sparkle" / MADE.judges[0] / "leaderboard.csv").read_text()
    assert all(model in page_data for model in MODELS), "the board itself is whole"


UNKNOWN: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "model": ({"models": ("identiti",)}, StoreError, "no model 'identiti' on any board; did you mean identity"),
    "sample": ({"selection": Selection(ids=("nobody",))}, BenchmarkError, "no sample 'nobody'"),
    "theme": ({"selection": Selection(themes=("tim",))}, BenchmarkError, "no theme 'tim'"),
}


@pytest.mark.parametrize(("how", "error", "words"), UNKNOWN.values(), ids=UNKNOWN)
def test_what_is_unknown_is_said_with_near_misses(
    how: dict[str, Any], error: type[Exception], words: str, original: World, tmp_path: Path
) -> None:
    with pytest.raises(error, match=re.escape(words)):
        original.bundle(tmp_path / "site", **how)
    assert files(tmp_path / "site").keys() <= {".sparkle-bundle.lock"}


def test_without_videos_there_are_only_pages(original: World, tmp_path: Path) -> None:
    done = original.bundle(tmp_path / "site", videos=False)
    assert (done.clips, done.videos) == (0, 0)
    assert not [name for name in files(tmp_path / "site") if name.startswith("videos/")]
    assert media(tmp_path / "site")["files"] == {"source": {}, "models": {}}


def test_sources_are_left_out_where_the_benchmark_is_not(original: World, tmp_path: Path) -> None:
    original.bundle(tmp_path / "site", bench=None)
    assert media(tmp_path / "site")["files"]["source"] == {}


# -- videos of strangers ---------------------------------------------------------------------------------------------


def first_edit(world: World, model: str = MODELS[2]) -> tuple[Edit, Path]:
    edit = min(world.store.edits(model).values(), key=lambda edit: edit.sample_id)
    return edit, world.store.model_dir(model) / str(edit.video)


def replaced(world: World, content: bytes) -> Edit:
    """Put something in an edit's place, as if it had been judged so."""
    edit, place = first_edit(world)
    place.unlink()
    place.write_bytes(content)
    world.store.append_edit(MODELS[2], dataclasses.replace(edit, sha256=hashlib.sha256(content).hexdigest()))
    return edit


def changed_later(world: World) -> None:
    _, place = first_edit(world)
    content = place.read_bytes()
    place.unlink()
    place.write_bytes(content + b"\0")


def broken(world: World) -> None:
    replaced(world, b"no video")


def cut_off(world: World) -> None:
    _, place = first_edit(world)
    replaced(world, place.read_bytes()[:-500])


def source_changed(world: World) -> None:
    sample = made_results.samples(MADE)[0]
    place = world.bench / sample.source
    place.unlink()
    makers.write_clip(place)


LEFT_OUT: dict[str, tuple[Callable[[World], object], str]] = {
    "no video": (broken, "begins like no mp4"),
    "cut off": (cut_off, "truncated"),
    "changed after it was judged": (changed_later, "is not the file that was judged"),
    "a changed source": (source_changed, "is not the source that the results speak of"),
}


@pytest.mark.parametrize(("spoil", "words"), LEFT_OUT.values(), ids=LEFT_OUT)
def test_a_video_that_cannot_be_taken_is_left_out_with_the_reason(
    spoil: Callable[[World], object], words: str, world: World, tmp_path: Path
) -> None:
    spoil(world)
    done = world.bundle(tmp_path / "site")
    assert [one.why for one in done.left_out if words not in one.why] == []
    assert len(done.left_out) == 1
    assert str(tmp_path) not in done.left_out[0].why
    one = done.left_out[0]
    said = media(tmp_path / "site")["files"]
    assert one.sample_id not in (said["source"] if one.model is None else said["models"][one.model])
    assert done.clips == 10 * 5 - 1
    count = Count()
    again = world.bundle(tmp_path / "site", count)
    assert (count.total, again.left_out) == (0, done.left_out), "it is known to be broken"


def leads_out(world: World) -> None:
    secret = world.root / "secret.mp4"
    makers.write_clip(secret)
    edit, _ = first_edit(world)
    known = hashlib.sha256(secret.read_bytes()).hexdigest()
    up = "videos/../../../secret.mp4"
    world.store.append_edit(MODELS[2], dataclasses.replace(edit, video=up, sha256=known))


def links_out(world: World) -> None:
    secret = world.root / "secret.mp4"
    makers.write_clip(secret)
    edit, place = first_edit(world)
    place.unlink()
    place.symlink_to(secret)
    known = hashlib.sha256(secret.read_bytes()).hexdigest()
    world.store.append_edit(MODELS[2], dataclasses.replace(edit, sha256=known))


def no_path(world: World) -> None:
    edit, _ = first_edit(world)
    world.store.append_edit(MODELS[2], dataclasses.replace(edit, video="videos/a\0b.mp4"))


def half_a_pair(world: World) -> None:
    edit, _ = first_edit(world)
    line = json.dumps(to_json(dataclasses.replace(edit, video="videos/a\ud800b.mp4")))
    with (world.store.model_dir(MODELS[2]) / "edits.jsonl").open("a") as file:
        file.write(f"{line}\n")


@pytest.mark.parametrize("spoil", [leads_out, links_out, no_path, half_a_pair])
def test_a_path_that_leaves_the_results_is_not_followed(
    spoil: Callable[[World], object], world: World, tmp_path: Path
) -> None:
    spoil(world)
    done = world.bundle(tmp_path / "site")
    assert (done.absent, done.clips) == (1, 10 * 5 - 1)
    frames = {video.probe(path).frames for name, path in files(tmp_path / "site").items() if name.endswith(".mp4")}
    assert 12 not in frames, "the secret clip has twelve"


def test_videos_that_are_elsewhere_are_counted(world: World, tmp_path: Path) -> None:
    shutil.rmtree(world.store.model_dir(MODELS[1]) / "videos")
    done = world.bundle(tmp_path / "site")
    assert (done.absent, done.left_out) == (10, ())
    assert MODELS[1] not in media(tmp_path / "site")["models"]


# -- size ------------------------------------------------------------------------------------------------------------


def enlarge(world: World, model: str) -> int:
    """Give a model edits of some 300 kB; return their bytes."""
    total = 0
    rng = np.random.default_rng(0)
    for number, edit in enumerate(world.store.edits(model).values()):
        place = world.store.model_dir(model) / str(edit.video)
        place.unlink()
        noise = rng.integers(0, 60, (144, 256, 3), np.uint8)
        pictures = (
            picture + np.roll(noise, n, 1) for n, picture in enumerate(makers.moving_frames(33, (256, 144), number))
        )
        video.write(place, pictures, fps=16, crf=12)
        sha256 = hashlib.sha256(place.read_bytes()).hexdigest()
        world.store.append_edit(model, dataclasses.replace(edit, sha256=sha256, probe=video.probe(place)))
        total += place.stat().st_size
    return total


def test_larger_videos_are_brought_down_until_all_fit(world: World, tmp_path: Path) -> None:
    large = enlarge(world, MODELS[1])
    whole = world.bundle(tmp_path / "whole")
    assert whole.level is None
    most = whole.bytes - large // 2
    small = world.bundle(tmp_path / "small", most_bytes=most)
    assert small.level is not None
    assert small.level >= 60_000
    assert small.bytes <= most < whole.bytes
    assert (small.clips, small.left_out) == (whole.clips, ())
    for sample_id, path in media(tmp_path / "small")["files"]["models"][MODELS[1]].items():
        at = tmp_path / "small" / "sparkle" / MADE.judges[0] / path
        assert at.stat().st_size <= small.level
        assert (video.probe(at).frames, video.probe(at).fps) == (33, 16.0), sample_id
    other = media(tmp_path / "small")["files"]["models"][MODELS[2]]
    assert other == media(tmp_path / "whole")["files"]["models"][MODELS[2]], "small ones are left as they are"
    count = Count()
    world.bundle(tmp_path / "small", count, most_bytes=most + 10_000)
    assert count.total == 0, "a little more room makes nothing again"


def test_too_many_videos_are_refused_with_what_to_do(world: World, tmp_path: Path) -> None:
    enlarge(world, MODELS[1])
    pages = original_bytes(world, tmp_path)
    with pytest.raises(StoreError, match=r"kB for each.*--models.*--limit.*--bundle-size.*--bundle-videos none"):
        world.bundle(tmp_path / "site", most_bytes=pages + 500_000)
    assert files(tmp_path / "site") == {}
    done = world.bundle(tmp_path / "site", most_bytes=pages + 500_000, videos=False)
    assert done.bytes <= pages + 500_000


def original_bytes(world: World, tmp_path: Path) -> int:
    return world.bundle(tmp_path / "pages", videos=False).bytes


def test_boards_that_are_too_large_are_refused(original: World, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"the boards alone have more than 0\.2 MB; allow more with --bundle-size"):
        original.bundle(tmp_path / "site", most_bytes=200_000)


@pytest.mark.parametrize("budget", [700_000, 1_500_000, 4_000_000, 100_000_000])
def test_shares_fill_the_budget_and_never_pass_it(budget: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    contents: dict[str, Content] = {}
    clip = makers.write_clip(tmp_path / "a.mp4").read_bytes()
    for number, size in enumerate(rng.integers(20_000, 900_000, 9)):
        path = tmp_path / f"{number}.mp4"
        path.write_bytes(clip + bytes(int(size)))
        contents[f"{number:064x}"] = Content(path=path, bytes=path.stat().st_size)
    names = shares.shared(contents, budget, Wish(folder=tmp_path))
    cost = sum(name.most_bytes + name.poster_bytes for name in names.values())
    assert cost <= budget
    wanted = [content.bytes * 1.02 + 4096 for content in contents.values()]
    assert cost >= min(0.8 * budget, sum(wanted))
    level = shares.level_of(contents, budget)
    assert (level is None) == (budget == 100_000_000)
    assert all(name.most_bytes >= min(level or 10**9, name.content.bytes) for name in names.values())


# -- where it may be -------------------------------------------------------------------------------------------------


def something_else(world: World, site: Path) -> Path:
    site.mkdir()
    (site / "thesis.docx").write_bytes(b"mine")
    return site


def a_file(world: World, site: Path) -> Path:
    site.write_bytes(b"mine")
    return site


def a_strange_list(world: World, site: Path) -> Path:
    site.mkdir()
    (site / LIST).write_text(json.dumps({"format": 1, "readme": "", "broken": {}, "files": ["../../precious"]}))
    return site


def a_damaged_list(world: World, site: Path) -> Path:
    site.mkdir()
    (site / LIST).write_text("{")
    return site


def a_link_out(world: World, site: Path) -> Path:
    site.mkdir()
    (site / LIST).write_text(json.dumps({"format": 1, "readme": "", "broken": {}, "files": []}))
    (site.parent / "elsewhere").mkdir()
    (site / "videos").symlink_to(site.parent / "elsewhere")
    return site


def own_in_the_way(world: World, site: Path) -> Path:
    world.bundle(site, videos=False)
    data = json.loads((site / LIST).read_text())
    data["files"].remove("index.html")
    (site / LIST).write_text(json.dumps(data))
    (site / "index.html").write_text("mine")
    return site


REFUSED: dict[str, tuple[Callable[[World, Path], Path], str]] = {
    "a folder with other things": (something_else, "is no bundle and holds thesis.docx"),
    "a file": (a_file, "is not a folder"),
    "the results": (lambda world, site: world.root / "results" / "site", "a bundle cannot lie in"),
    "the boards": (lambda world, site: world.root / "leaderboards" / "site", "a bundle cannot lie in"),
    "the benchmark": (lambda world, site: world.bench / "site", "a bundle cannot lie in"),
    "the root": (lambda world, site: world.root, "nor around it"),
    "a list of files outside": (a_strange_list, "cannot be read"),
    "a damaged list": (a_damaged_list, "cannot be read"),
    "a link that leads out": (a_link_out, "leads out of the bundle"),
    "own files in the way": (own_in_the_way, "index.html in"),
}


@pytest.mark.parametrize(("place", "words"), REFUSED.values(), ids=REFUSED)
def test_a_place_where_others_things_are_is_refused(
    place: Callable[[World, Path], Path], words: str, world: World, tmp_path: Path
) -> None:
    site = place(world, tmp_path / "site")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(StoreError, match=re.escape(words)):
        world.bundle(site)
    after = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    new = {path.name for path in after.keys() - before.keys()}
    assert new <= {"hashes.json"}
    assert {path: time for path, time in after.items() if path in before and path.name != "hashes.json"} == {
        path: time for path, time in before.items() if path.name != "hashes.json"
    }


def test_an_empty_repository_is_welcome(original: World, tmp_path: Path) -> None:
    (tmp_path / "site" / ".git").mkdir(parents=True)
    (tmp_path / "site" / ".git" / "HEAD").write_text("ref")
    (tmp_path / "site" / "README.md").write_text("my own words")
    original.bundle(tmp_path / "site", videos=False)
    assert (tmp_path / "site" / "README.md").read_text() == "my own words"
    assert (tmp_path / "site" / ".git" / "HEAD").read_text() == "ref"


def test_two_at_once_are_refused(original: World, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    with (
        disk.held(tmp_path / "site" / ".sparkle-bundle.lock"),
        pytest.raises(StoreError, match="another bundle is being written to"),
    ):
        original.bundle(tmp_path / "site")


def test_a_benchmark_cannot_take_the_place_of_the_videos(original: World, tmp_path: Path) -> None:
    boards = [dataclasses.replace(original.boards[0], benchmark="Videos")]
    with pytest.raises(StoreError, match="a benchmark called 'Videos' cannot be put into a bundle"):
        dataclasses.replace(original, boards=boards).bundle(tmp_path / "site")


# -- in a browser ----------------------------------------------------------------------------------------------------

PLAYED = """() => [...document.querySelectorAll('video')].map(video => ({
    at: video.currentSrc, ready: video.readyState, width: video.videoWidth, error: video.error && video.error.message,
    poster: video.poster}))"""


@contextlib.contextmanager
def from_disk(folder: Path) -> Iterator[str]:
    yield folder.parent.as_uri() + "/"


@pytest.mark.browser
@pytest.mark.parametrize("way", [from_disk, page.served], ids=["from disk", "from a server's subfolder"])
def test_videos_play_in_a_browser_and_no_request_fails(way: Any, published: Path) -> None:
    sample = made_results.samples(MADE)[1].id
    with page.chromium() as browser, way(published.parent if way is page.served else published) as root:
        route = f"#/sample/{sample}?models=identity,{MODELS[2]}"
        url = f"{root}leaderboards/sparkle/{MADE.judges[0]}/index.html{route}"
        failed: list[str] = []
        with page.opened(browser, url) as seen:
            seen.page.on("requestfailed", lambda request: failed.append(f"{request.url} {request.failure}"))
            seen.page.on("response", lambda answer: failed.append(answer.url) if answer.status >= 400 else None)
            seen.until(
                "() => { const all = [...document.querySelectorAll('video')];"
                " return all.length >= 3 && all.every(video => video.readyState >= 2); }"
            )
            played = seen.page.evaluate(PLAYED)
            seen.expect_clean()
            assert failed == []
        assert all(one["error"] is None and one["width"] == 320 for one in played)
        where = (
            f"{root}leaderboards/videos/"  # a server that knows no ranges makes the page load a clip whole, as a blob
        )
        assert all(one["at"].startswith((where, "blob:")) for one in played)
        asked = {url for url in seen.requests if url.endswith(".mp4")}
        assert asked
        assert all(url.startswith(where) for url in asked)
        assert all(one["poster"].endswith(".jpg") for one in played)
        assert [url for url in seen.requests if url.endswith(".jpg")], "posters are shown"


@pytest.mark.browser
def test_all_boards_are_linked_from_the_first_page(published: Path) -> None:
    with page.chromium() as browser, page.opened(browser, page.address(published), page.Options(scripts=False)) as seen:
        links = seen.page.eval_on_selector_all("a", "links => links.map(link => link.getAttribute('href'))")
        assert {f"sparkle/{judge}/index.html" for judge in MADE.judges} <= set(links)
        seen.expect_clean()


# -- the command -----------------------------------------------------------------------------------------------------


def test_the_command_writes_a_bundle_and_says_what_is_in_it(world: World, tmp_path: Path) -> None:
    done = cli.run("leaderboard", "--bundle", "../site", cwd=world.root)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"leaderboards/sparkle/{MADE.judges[0]}/index.html  4 models")
    assert re.match(r"\.\./site/index\.html  \d+\.\d MB, 50 clips in \d files \(\d new\)$", lines[2])
    assert "check that you may show them" in lines[3]
    again = json.loads(cli.run("leaderboard", "--bundle", "../site", "--json", cwd=world.root).stdout)
    assert (again["bundle"]["made"], again["bundle"]["clips"], len(again["boards"])) == (0, 50, 2)


def test_the_command_ends_with_3_if_a_video_is_left_out(world: World) -> None:
    broken(world)
    done = cli.run("leaderboard", "--bundle", "../site", cwd=world.root)
    assert done.returncode == 3
    assert f"left out: {MODELS[2]} " in done.stdout


USAGE: dict[str, tuple[list[str], int, str]] = {
    "a choice without a bundle": (["--models", "identity"], 2, "it goes with --bundle DIR"),
    "samples without a bundle": (["--limit", "3"], 2, "it goes with --bundle DIR"),
    "every without watch": (["--every", "3"], 2, "--every goes with --watch"),
    "no size": (["--bundle", "../site", "--bundle-size", "big"], 2, "is no size, such as 900MB"),
    "nothing": (["--bundle", "../site", "--bundle-size", "0"], 2, "is no size, such as 900MB"),
    "an empty name": (["--bundle", "../site", "--models", "a,,b"], 2, "is no list of models"),
    "a bundle in the results": (["--bundle", "results/site"], 1, "error: a bundle cannot lie in results"),
    "too little room": (["--bundle", "../site", "--bundle-size", "100kB"], 1, "the boards alone have more than"),
}


@pytest.mark.parametrize(("words", "code", "said"), USAGE.values(), ids=USAGE)
def test_the_command_refuses_in_one_line(words: list[str], code: int, said: str, original: World) -> None:
    done = cli.run("leaderboard", *words, cwd=original.root)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
