"""The editor darkens a clip, keeps its frames, says what it is, and refuses what makes no sense."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sparkle_bench import editors, video
from sparkle_bench.errors import EditorError
from sparkle_bench.records import Sample
from sparkle_bench.video.frames import frames

NIGHT = "template_editor.night:Night"


def a_sample(folder: Path) -> Sample:
    """Return a sample with a source of 10 grey frames of 96x64."""
    video.write(folder / "source.mp4", [np.full((64, 96, 3), 180, np.uint8)] * 10, fps=16)
    return Sample(
        id="one",
        benchmark="sparkle",
        theme="time",
        subtheme="night",
        scene="clear sky",
        instruction="Make it night.",
        source="source.mp4",
        sha256="0" * 64,
        root=folder,
    )


def test_it_darkens_every_frame(tmp_path: Path) -> None:
    editor, out = editors.create(NIGHT, {"darkness": "0.5"}), tmp_path / "out.mp4"
    editors.load(editor)
    effort = editor.edit(a_sample(tmp_path), out)
    assert effort is not None
    assert (effort.frames, effort.aligned) == (9, True)
    assert video.probe(out).frames == 9
    assert all(85 < float(picture.mean()) < 95 for picture in frames(out))


def test_it_says_what_it_is() -> None:
    assert editors.declared(editors.create(NIGHT, {}))["model"]["name"] == "Night"


def test_a_darkness_that_cannot_be_is_refused() -> None:
    with pytest.raises(EditorError, match="darkness=2 is not between 0 and 1"):
        editors.create(NIGHT, {"darkness": "2"})
