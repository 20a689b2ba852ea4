"""Stands in for what diffusers writes videos with."""

from __future__ import annotations

from typing import Any

import film  # type: ignore[import-not-found]


def export_to_video(video_frames: Any, output_video_path: str, fps: float = 10, quality: float = 5.0) -> None:
    """Write a video of floats from 0 to 1."""
    film.write(output_video_path, [(frame * 255).round().astype("uint8") for frame in video_frames], fps=fps)
