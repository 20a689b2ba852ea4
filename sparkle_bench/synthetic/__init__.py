"""A small benchmark made from code: moving figures in moving scenes, with true masks, for the demo and the tests."""

from sparkle_bench.synthetic.catalogue import CLIPS, Clip
from sparkle_bench.synthetic.compositing import blurred, eaten, laid_over, without_fringe
from sparkle_bench.synthetic.light import Light, relit
from sparkle_bench.synthetic.publish import CRF, PRESET, true_masks, write_benchmark
from sparkle_bench.synthetic.settings import SETTINGS, scene
from sparkle_bench.synthetic.stage import FPS, FRAMES, HEIGHT, WIDTH, Moving, Picture, Setting, instant

__all__ = [
    "CLIPS",
    "CRF",
    "FPS",
    "FRAMES",
    "HEIGHT",
    "PRESET",
    "SETTINGS",
    "WIDTH",
    "Clip",
    "Light",
    "Moving",
    "Picture",
    "Setting",
    "blurred",
    "eaten",
    "instant",
    "laid_over",
    "relit",
    "scene",
    "true_masks",
    "without_fringe",
    "write_benchmark",
]
