"""Another frame rate without encoding again: pictures bit by bit the same, times exact, whatever order packets are in."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from sparkle_bench import video
from sparkle_bench.errors import VideoError
from sparkle_bench.video.frames import frames
from sparkle_bench.video.retime import retime
from tests import makers


def encoded(path: Path, *, count: int, fps: float, form: str = "mp4", **how: str) -> Path:
    """Write a moving pattern with options of the encoder's own."""
    codec, pixels = how.pop("codec", "libx264"), how.pop("pixels", "yuv420p")
    with av.open(str(path), "w", format=form) as container:
        stream: Any = container.add_stream(codec, rate=Fraction(fps).limit_denominator(1000))
        stream.pix_fmt, stream.options, stream.width, stream.height = pixels, how, 96, 64
        for picture in makers.moving_frames(count, (96, 64)):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


ENCODINGS: dict[str, dict[str, Any]] = {
    "as these projects write": {"count": 81, "fps": 24},
    "no pictures ahead": {"count": 81, "fps": 24, "bf": "0"},
    "many pictures ahead": {"count": 81, "fps": 24, "bf": "8", "b-pyramid": "strict"},
    "open groups": {"count": 81, "fps": 24, "g": "5", "x264-params": "open-gop=1:bframes=5"},
    "slow": {"count": 49, "fps": 7},
    "two pictures": {"count": 2, "fps": 24},
    "one picture": {"count": 1, "fps": 24},
    "a mov": {"count": 21, "fps": 30, "form": "mov"},
}


@pytest.mark.parametrize("fps", [16.0, 15.0, 24000 / 1001, 29.97], ids=["16", "15", "24000/1001", "29.97"])
@pytest.mark.parametrize("encoding", ENCODINGS.values(), ids=ENCODINGS)
def test_pictures_stay_and_times_are_exact(encoding: dict[str, Any], fps: float, tmp_path: Path) -> None:
    source, out = encoded(tmp_path / "source.mp4", **encoding), tmp_path / "out.mp4"
    assert retime(source, out, fps)
    before, after = np.stack(list(frames(source))), np.stack(list(frames(out)))
    assert np.array_equal(before, after)
    with av.open(str(out)) as container:
        times = [float(frame.time) for frame in container.decode(video=0)]
    assert max(abs(time - number / fps) for number, time in enumerate(times)) < 1e-5
    assert video.probe(out).fps == pytest.approx(fps, rel=1e-6)
    assert video.probe(out).frames == encoding["count"]


ANEW: dict[str, dict[str, Any]] = {
    "other colours": {"pixels": "yuv444p"},
    "full range": {"pixels": "yuvj420p"},
    "another codec": {"codec": "mpeg4"},
    "another container": {"form": "matroska"},
    "a stream without an index": {"form": "avi"},
}


@pytest.mark.parametrize("how", ANEW.values(), ids=ANEW)
def test_what_has_to_be_encoded_anew_is_left_alone(how: dict[str, Any], tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    assert not retime(encoded(tmp_path / "source.mp4", count=9, fps=24, **how), out, 16.0)
    assert not out.exists()


def test_sound_is_left_out(tmp_path: Path) -> None:
    source, out = tmp_path / "source.mp4", tmp_path / "out.mp4"
    with av.open(str(source), "w") as container:
        stream: Any = container.add_stream("libx264", rate=24)
        stream.pix_fmt, stream.width, stream.height = "yuv420p", 96, 64
        sound: Any = container.add_stream("aac", rate=44100)
        for picture in makers.moving_frames(24, (96, 64)):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        noise = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        noise.sample_rate, noise.pts = 44100, 0
        container.mux(sound.encode(noise))
        container.mux([*stream.encode(), *sound.encode()])
    assert retime(source, out, 16.0)
    with av.open(str(out)) as container:
        assert [stream.type for stream in container.streams] == ["video"]
        assert sum(1 for _ in container.decode(video=0)) == 24


def test_half_a_file_is_refused(tmp_path: Path) -> None:
    source = encoded(tmp_path / "source.mp4", count=41, fps=24)
    source.write_bytes(source.read_bytes()[:-500])
    with pytest.raises(VideoError):
        retime(source, tmp_path / "out.mp4", 16.0)
    assert not (tmp_path / "out.mp4").exists()
