"""Where a board's page looks for videos: edits beside the results, sources through a link, nothing that names the machine."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from sparkle_bench.leaderboard import rebuild
from sparkle_bench.store import Store
from tests.made_results import Made, names, samples, write

MADE = Made(models=2, samples=8, repeats=1)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    write(tmp_path / "root", MADE)
    return Store(root=tmp_path / "root")


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    """A benchmark's folder far from the results, with its first source."""
    source = tmp_path / "home" / "somebody" / "bench" / samples(MADE)[0].source
    source.parent.mkdir(parents=True)
    source.write_bytes(b"a video")
    return tmp_path / "home" / "somebody" / "bench"


def media(store: Store) -> dict[str, Any]:
    text = page(store).joinpath("page", "media.js").read_text(encoding="ascii")
    found: dict[str, Any] = json.loads(text.removeprefix("sparkle.media(").removesuffix(");\n"))
    return found


def page(store: Store) -> Path:
    return store.board_dir("sparkle", MADE.judges[0])


def test_sources_are_found_through_the_root_wherever_they_lie(store: Store, bench: Path) -> None:
    rebuild(store, sources=bench)
    said = media(store)
    assert "somebody" not in json.dumps(said)
    assert (page(store) / said["sources"] / samples(MADE)[0].source).read_bytes() == b"a video"


def test_where_sources_lie_is_remembered_until_they_are_gone_or_elsewhere(store: Store, bench: Path) -> None:
    rebuild(store, sources=bench)
    first = media(store)
    rebuild(store)
    assert media(store) == first
    moved = bench.parent / "moved"
    shutil.move(bench, moved)
    rebuild(store)
    assert media(store)["sources"] is None
    rebuild(store, sources=moved)
    assert media(store) == first


def test_the_folder_of_another_benchmark_is_not_taken(store: Store, bench: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    rebuild(store, sources=tmp_path / "other")
    assert media(store)["sources"] is None
    rebuild(store, sources=bench)
    rebuild(store, sources=tmp_path / "other")
    assert media(store)["sources"] is not None


def test_only_models_whose_videos_are_here_are_named(store: Store) -> None:
    (store.model_dir(names(MADE)[1]) / "videos").mkdir()
    rebuild(store)
    assert media(store)["models"] == [names(MADE)[1]]
    assert (page(store) / media(store)["results"]).samefile(store.kept()[0])
