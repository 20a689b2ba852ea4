"""Progress of long work on standard error: a bar on a terminal, a plain line now and then when piped."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tqdm import tqdm

LINE_SECONDS = 10.0


class Progress:
    """Counts what is done and failed; `start` begins a stage, `step` is one record."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._total = self._done = self._failed = 0
        self._begun = self._said = 0.0
        self._bar: tqdm[Any] | None = None

    def start(self, total: int) -> None:
        """Begin a stage of so many records; called again, so many more are to come."""
        self._total += total
        if self._bar is not None:
            self._bar.total = self._total
            return
        self._begun = self._said = time.monotonic()
        if total and sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=total, desc=self._what, unit="", dynamic_ncols=True, file=sys.stderr)

    def step(self, *, ok: bool) -> None:
        """Count one record."""
        self._done += 1
        self._failed += not ok
        if self._bar is not None:
            if self._failed:
                self._bar.set_postfix(failed=self._failed, refresh=False)
            self._bar.update()
        elif time.monotonic() - self._said >= LINE_SECONDS or self._done == self._total:
            self._said = time.monotonic()
            print(self._line(), file=sys.stderr, flush=True)  # noqa: T201

    def stop(self) -> None:
        """End the stage's display."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def summary(self) -> str:
        """Return how far the stage came."""
        return f"{self._what} {self._done} of {self._total}, {self._failed} failed"

    def _line(self) -> str:
        seconds = max(1e-6, time.monotonic() - self._begun)
        rate = self._done / seconds
        left = (self._total - self._done) / rate
        return f"{self.summary()}, {rate:.2f}/s, {left:.0f} s left"
