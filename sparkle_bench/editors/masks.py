"""Masks of what may change: a file or folder for each sample, read, checked, and fitted as its clip was.

`ID.mp4`, `ID.png` (one for all frames) or `ID/` with numbered images. They are black and white; a mask that could be read
in two ways is refused, for a model would edit by it all the same.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkle_bench.errors import EditorError, VideoError
from sparkle_bench.records import Sample

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sparkle_bench.editors.studio import Clip

IMAGES = (".png", ".jpg", ".jpeg", ".webp")
WHITE = 128
GREY = 128
"""What VACE sees where it may paint: half of white, which is nothing once pixels are scaled to -1 … 1."""
MOST_COLOUR = 64
"""How far apart red, green and blue of a black and white pixel are; a video's compression moves them a little."""
NOISE = 16
"""How bright black may be in a video."""
RATE_TOLERANCE = 0.01
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Masks:
    """A folder of masks.

    Attributes:
        folder: Where they are.
        of_subject: Whether white is the subject, which stays, and not the background, which may change.

    Raises:
        EditorError: There is no such folder.
    """

    folder: Path
    of_subject: bool = False

    def __post_init__(self) -> None:
        if not self.folder.is_dir():
            raise EditorError(f"there is no folder {self.folder.name} of masks")

    def find(self, sample_id: str) -> Path | None:
        """Return a sample's mask, or None."""
        places = (self.folder / f"{sample_id}.mp4", self.folder / f"{sample_id}.png", self.folder / sample_id)
        return next((place for place in places if place.exists()), None)

    def check(self, samples: Sequence[Sample]) -> None:
        """Refuse a folder that is of no use.

        Raises:
            EditorError: It has a mask of none of the samples.
        """
        if samples and not any(self.find(sample.id) for sample in samples):
            raise EditorError(
                f"the folder {self.folder.name} has no mask of any sample; expected {samples[0].id}.mp4, "
                f"{samples[0].id}.png, or a folder {samples[0].id} of numbered images, and so for the others"
            )

    def read(self, sample: Sample, clip: Clip) -> NDArray[np.uint8]:
        """Return what may change of each frame of a fitted clip (T×H×W): 255, or 0 for what stays.

        Raises:
            EditorError: The sample has no mask, or it is another clip's, or none.
        """
        import numpy as np

        from sparkle_bench import video

        place = self.find(sample.id)
        if place is None:
            raise EditorError(
                f"no mask of {sample.id}; expected {sample.id}.mp4, {sample.id}.png or a folder {sample.id}"
            )
        try:
            facts = video.probe(sample.source_path)
            pictures = _pictures(place, clip)
            sizes = {(picture.shape[1], picture.shape[0]) for picture in pictures}
            _check_size(sizes, (facts.width, facts.height), clip.size)
            _check_sense(pictures, noise=NOISE if place.suffix == ".mp4" else 0)
        except (EditorError, VideoError, OSError, ValueError) as error:
            raise EditorError(f"the mask of {sample.id} cannot be used: {error}") from error
        white = [_fitted(picture.max(axis=2) >= WHITE, clip.size) for picture in pictures]
        made = np.stack([mask != self.of_subject for mask in white]).astype(np.uint8) * 255
        return made if len(made) > 1 else np.repeat(made, len(clip.pictures), axis=0)


def greyed(pictures: Sequence[NDArray[np.uint8]], masks: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Return pictures that are grey where they may change."""
    import numpy as np

    return [
        np.where(mask[..., None] > 0, np.uint8(GREY), picture) for picture, mask in zip(pictures, masks, strict=True)
    ]


def _pictures(place: Path, clip: Clip) -> list[NDArray[np.uint8]]:
    """Return a mask's pictures (H×W×3, uint8): one, or as many as the clip's."""
    if place.suffix == ".png" and place.is_file():
        return [_image(place)]
    wanted = len(clip.pictures)
    if place.is_dir():
        paths = _numbered(place)
        _check_count(len(paths), clip)
        return [_image(path) for path in paths[:wanted]]
    from sparkle_bench import video
    from sparkle_bench.video.frames import frames

    facts = video.probe(place)
    _check_count(facts.frames, clip)
    if facts.frames != clip.total and abs(facts.fps - clip.fps) > RATE_TOLERANCE * clip.fps:
        raise EditorError(f"it has {facts.fps:.4g} frames a second; the source has {clip.fps:.4g}")
    return list(itertools.islice(frames(place), wanted))


def _numbered(folder: Path) -> list[Path]:
    """Return a folder's images by the last number of their names."""
    found = [path for path in folder.iterdir() if path.suffix.lower() in IMAGES and not path.name.startswith(".")]
    numbers = {path: _NUMBER.findall(path.stem) for path in found}
    bare = next((path.name for path in found if not numbers[path]), None)
    if bare is not None:
        raise EditorError(f"its image {bare} has no number")
    order = sorted(found, key=lambda path: int(numbers[path][-1]))
    for path, following in itertools.pairwise(order):
        if int(numbers[following][-1]) != int(numbers[path][-1]) + 1:
            raise EditorError(f"after its image {path.name} comes {following.name}; their numbers run on one by one")
    return order


def _image(path: Path) -> NDArray[np.uint8]:
    import numpy as np
    from PIL import Image

    with Image.open(path) as image:
        may_be_clear = "A" in image.getbands() or "transparency" in image.info
        if may_be_clear and np.asarray(image.convert("RGBA"))[..., 3].min() < 255:
            raise EditorError(f"{path.name} is transparent in part; a mask is black and white")
        if image.mode.startswith("I"):  # Pillow would cut 16 bits off at 255
            brightest = int(np.asarray(image).max())
            if 0 < brightest < WHITE << 8:
                raise EditorError(f"{path.name} has 16 bits and its brightest pixel is {brightest}; white is 65535")
            return np.repeat((np.asarray(image) >> 8).astype(np.uint8)[..., None], 3, axis=2)
        return np.asarray(image.convert("RGB"))


def _check_count(count: int, clip: Clip) -> None:
    """Refuse a mask of any other number of frames, which is another clip's, or of another rate."""
    if count not in (len(clip.pictures), clip.total):
        raise EditorError(
            f"it has {count} frames; the source has {clip.total}, of which the model takes {len(clip.pictures)}"
        )


def _check_size(sizes: set[tuple[int, int]], source: tuple[int, int], fitted: tuple[int, int]) -> None:
    if len(sizes) > 1 or not sizes <= {source, fitted}:
        found = " and ".join(f"{width}x{height}" for width, height in sorted(sizes))
        known = " or, fitted, ".join(f"{width}x{height}" for width, height in dict.fromkeys((source, fitted)))
        raise EditorError(f"it is {found}; the source is {known}")


def _check_sense(pictures: Sequence[NDArray[np.uint8]], *, noise: int) -> None:
    """Refuse colours, such as a labelled picture's, and zeros and ones, which would all be read as black."""
    brightest = 0
    for picture in pictures:
        whole: Any = picture
        if int((whole.max(axis=2) - whole.min(axis=2)).max()) > MOST_COLOUR:
            raise EditorError("it is coloured; a mask is black and white")
        brightest = max(brightest, int(whole.max()))
    if noise < brightest < WHITE:
        raise EditorError(f"its brightest pixel is {brightest}; white is 255")


def _fitted(mask: NDArray[np.bool_], target: tuple[int, int]) -> NDArray[np.bool_]:
    """Crop and scale a mask as `video.conform` does a clip, by the nearest pixel."""
    import numpy as np
    from PIL import Image

    from sparkle_bench.video.conform import crop

    height, width = mask.shape
    if (width, height) == target:
        return mask
    box = crop((width, height), target)
    part = mask[box.top : box.top + box.height, box.left : box.left + box.width]
    scaled = Image.fromarray(part.astype(np.uint8)).resize(target, Image.Resampling.NEAREST)
    return np.asarray(scaled).astype(np.bool_)
