"""What a stage works on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sparkle_bench.editors import Editor
from sparkle_bench.records import Edit, Judgment, Measurement, Sample
from sparkle_bench.store import Store

OnRecord = Callable[[Edit | Measurement | Judgment], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a stage works on.

    Attributes:
        store: Where records go.
        model: The result's name.
        samples: The chosen samples.
        shard: Which part of a division they are, for the lock.
        workers: How many samples at once.
        on_start: Told how many records the stage will make, before the first.
        on_record: Told of every record once it is on disk.
    """

    store: Store
    model: str
    samples: Sequence[Sample]
    shard: tuple[int, int] = (0, 1)
    workers: int = 1
    on_start: Callable[[int], None] = lambda total: None
    on_record: OnRecord = lambda record: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """How a model's edits are made.

    Attributes:
        editor: The editor.
        name: What `--model` called it.
        options: Its options as given.
        preset: What of a preset's data decides what comes out; hashed with the options, so that no result is made half by
            one preset and half by its next edition.
        gpus: The GPUs that were chosen for it; none if it takes what it finds.
    """

    editor: Editor
    name: str
    options: Mapping[str, str]
    preset: Mapping[str, Any] = field(default_factory=dict)
    gpus: tuple[str, ...] = ()
