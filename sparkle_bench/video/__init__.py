"""Probing, sampling and writing video. The only package that knows decord, PyAV and OpenCV."""

from sparkle_bench.video.kept import Kept
from sparkle_bench.video.pair import (
    FORM,
    Clip,
    Pair,
    Recorded,
    Sampling,
    Timing,
    decoder,
    encode_jpeg,
    instants,
    load_pair,
    smart_resize,
)
from sparkle_bench.video.planes import Planes, planes
from sparkle_bench.video.probe import MAX_BYTES, MAX_FRAME_PIXELS, MAX_FRAMES, MAX_RATIO, File, hold, probe
from sparkle_bench.video.write import write

__all__ = [
    "FORM",
    "MAX_BYTES",
    "MAX_FRAMES",
    "MAX_FRAME_PIXELS",
    "MAX_RATIO",
    "Clip",
    "File",
    "Kept",
    "Pair",
    "Planes",
    "Recorded",
    "Sampling",
    "Timing",
    "decoder",
    "encode_jpeg",
    "hold",
    "instants",
    "load_pair",
    "planes",
    "probe",
    "smart_resize",
    "write",
]
