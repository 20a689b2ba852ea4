"""Reading what a `.safetensors` file holds, and adding zeros to it, without torch.

Such a file is the length of its header (8 bytes, little-endian), the header (JSON: each tensor's type, shape and place) and
the data. Only headers are read here: gigabytes are looked over in milliseconds.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from sparkle_bench.errors import EditorError, one_line

BYTES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "U16": 2, "I16": 2, "F16": 2, "BF16": 2, "U32": 4, "I32": 4,
    "F32": 4, "U64": 8, "I64": 8, "F64": 8,
}  # fmt: skip
MOST_HEADER = 100_000_000
"""Bytes; the format's own limit."""
CHUNK = 1 << 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """What is said of a tensor.

    Attributes:
        dtype: Its type, as the format writes it: `BF16`, `F32`.
        shape: Its sides.
    """

    dtype: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Bytes."""
        return math.prod(self.shape) * BYTES[self.dtype]


def read(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file by name.

    Raises:
        EditorError: It is missing, no such file, or cut short.
    """
    with _opened(path) as file:
        header, _start = _header(path, file)
    return {name: Tensor(dtype=item["dtype"], shape=tuple(item["shape"])) for name, item in _tensors(header).items()}


def add_zeros(path: Path, wanted: Mapping[str, Tensor]) -> None:
    """Add tensors of zeros to a file, or make one of them; the file is replaced whole or not at all.

    Raises:
        EditorError: The file that is there cannot be read.
        OSError: It cannot be written.
    """
    with contextlib.ExitStack() as stack:
        header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
        old, start = None, 0
        if path.exists():
            old = stack.enter_context(_opened(path))
            header, start = _header(path, old)
        end = _end(header)
        for name, tensor in wanted.items():
            place = [end, end + tensor.size]
            header[name] = {"dtype": tensor.dtype, "shape": list(tensor.shape), "data_offsets": place}
            end = place[1]
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            with part.open("wb") as new:
                _write(new, header, zeros=sum(tensor.size for tensor in wanted.values()), old=old, start=start)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def _write(new: IO[bytes], header: Mapping[str, Any], *, zeros: int, old: IO[bytes] | None, start: int) -> None:
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # so that data is aligned, as readers that map the file into memory wish
    new.write(len(text).to_bytes(8, "little") + text)
    if old is not None:
        old.seek(start)
        shutil.copyfileobj(old, new, CHUNK)
    while zeros > 0:
        new.write(bytes(min(zeros, CHUNK)))
        zeros -= CHUNK
    new.flush()
    os.fsync(new.fileno())


def _opened(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except OSError as error:
        raise EditorError(f"cannot read {path}: {error.strerror}") from error


def _header(path: Path, file: IO[bytes]) -> tuple[dict[str, Any], int]:
    """Return the header and where the data starts."""
    size = os.fstat(file.fileno()).st_size
    first = file.read(8)
    if first == b"version ":
        raise EditorError(
            f"{path} is not the weights but Git LFS's note of them; run `git lfs pull` where it came from"
        )
    length = int.from_bytes(first, "little")
    if len(first) < 8 or not 2 <= length <= MOST_HEADER:
        raise EditorError(f"{path} is no safetensors file")
    try:
        header = json.loads(file.read(length))
        end = 8 + length + _end(header)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        cut = size < 8 + length
        raise EditorError(f"{path} is {'cut short' if cut else 'no safetensors file'}: {one_line(error)}") from error
    if size != end:
        raise EditorError(f"{path} is cut short: it has {size} of {end} bytes; copy or download it again")
    return header, 8 + length


def _tensors(header: Mapping[str, Any]) -> dict[str, Any]:
    return {name: item for name, item in header.items() if name != "__metadata__"}


def _end(header: Mapping[str, Any]) -> int:
    """Return where the data ends, counted from its start; the header is looked over by the way."""
    end = 0
    for name, item in _tensors(header).items():
        first, last = map(int, item["data_offsets"])
        if last - first != Tensor(dtype=item["dtype"], shape=tuple(map(int, item["shape"]))).size:
            raise ValueError(f"the tensor {name} is not of the size that its shape says")
        end = max(end, last)
    return end
