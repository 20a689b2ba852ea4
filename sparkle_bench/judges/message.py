"""How a question becomes the JSON of a chat request: the prompt and both clips in one user message.

Clips are spliced into the encoded JSON as bytes: a request holds megabytes of base64, which need no escaping.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sparkle_bench.video import Clip, Pair, Timing

SOURCE_LABEL = "Source video:"
EDITED_LABEL = "Edited video:"
MESSAGE_FORM = 1
"""Changes with the way a question is put together."""

Protocol = Literal["sparkle-bench", "authors"]
Part = Literal["video_url", "image_url"]
Media = Literal["frames", "mp4"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a question is put.

    Attributes:
        protocol: This project's, or that of the benchmark authors' script: prompt, source and edit without labels between
            them, the same seed and temperature 0 however often it is asked.
        part: What a clip is called in the message. As `image_url` frames go one by one, each with its time before it, and
            a file goes whole, as the authors send it.
    """

    protocol: Protocol = "sparkle-bench"
    part: Part = "video_url"


PLAIN = Manner()
Url = Callable[[Clip], str]


def data_url(clip: Clip) -> str:
    """Return a clip as a data URL: one file, or JPEG pictures separated by commas."""
    return _data(clip).decode("ascii")


def _data(clip: Clip) -> bytes:
    return b"data:%b;base64," % clip.mime.encode("ascii") + b",".join(map(base64.b64encode, clip.parts))


def content(prompt: str, pair: Pair, manner: Manner = PLAIN, url: Url = data_url) -> list[dict[str, Any]]:
    """Return the parts of the user message: the prompt, then the source and the edit."""
    parts: list[dict[str, Any]] = [_text(prompt)]
    for label, clip in ((SOURCE_LABEL, pair.before), (EDITED_LABEL, pair.after)):
        if manner.protocol != "authors":
            parts.append(_text(label))
        if manner.part == "image_url" and pair.timing is not None:
            parts += _pictures(clip, pair.timing, url)
        else:
            parts.append({"type": manner.part, manner.part: {"url": url(clip)}})
    return parts


def _pictures(clip: Clip, timing: Timing, url: Url) -> list[dict[str, Any]]:
    """Return every frame as a picture of its own, after the second at which it stands in the source."""
    parts = []
    for index, data in zip(timing.indices, clip.parts, strict=True):
        picture = Clip(mime="image/jpeg", parts=(data,))
        parts += [_text(f"{index / timing.fps:.2f} s"), {"type": "image_url", "image_url": {"url": url(picture)}}]
    return parts


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def packed(body: Callable[[Url], Mapping[str, Any]]) -> bytes:
    """Return the JSON of a request.

    Args:
        body: Makes the request; it calls what it is given for the address of each clip.
    """
    token, clips = secrets.token_hex(16), []

    def place(clip: Clip) -> str:
        clips.append(clip)
        return f"{token}-{len(clips) - 1}-"

    left = json.dumps(body(place), ensure_ascii=True).encode("ascii")
    pieces = []
    for number, clip in enumerate(clips):
        head, _, left = left.partition(f"{token}-{number}-".encode("ascii"))
        pieces += [head, _data(clip)]
    return b"".join([*pieces, left])


def stated(timing: Timing) -> dict[str, Any]:
    """Return vLLM's media options that tell it when the frames were taken, and not to drop any.

    Without them vLLM takes sent frames for one per second and keeps the first 32.
    """
    return {
        "num_frames": -1,
        "fps": timing.fps,
        "frames_indices": list(timing.indices),
        "total_num_frames": timing.total,
    }
