"""The whole road in this process, from made-up samples to judgments, with servers made up too and next to no waiting."""

from __future__ import annotations

import time
from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from sparkle_bench import benchmark, run
from sparkle_bench.editors.identity import Identity
from sparkle_bench.judges import Judge, probe
from sparkle_bench.judges.openai import OpenAIJudge
from sparkle_bench.judges.transport import Transport
from sparkle_bench.prompts import load_prompt
from sparkle_bench.records import Judgment
from sparkle_bench.store import Store
from tests.fake_judge import FakeJudge

NOW = datetime(2026, 1, 2, tzinfo=timezone.utc)
PROMPT = load_prompt("sparkle", root=Path())
FASTER = 200
"""So many times faster than written do the waits between tries pass."""


class Road:
    """A root with a benchmark in `bench`; `identity` is the model under test, whatever it is called."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def store(self) -> Store:
        return Store(root=self.root)

    def connected(
        self, stack: ExitStack, *fakes: FakeJudge, options: probe.Options | None = None, timeout: float = 5.0
    ) -> OpenAIJudge:
        """Return a judge behind made-up servers; it hangs up when the stack is left."""
        transports = [
            Transport(url=fake.url, timeout=timeout, sleep=lambda seconds: time.sleep(seconds / FASTER))
            for fake in fakes
        ]
        for transport in transports:
            stack.callback(transport.close)
        judge = probe.connect_all(transports, PROMPT, options or probe.Options(frames=2))
        stack.callback(judge.pool.close)
        return judge

    def judge(self, judge: Judge, *, name: str = "identity", workers: int = 4, **seat: Any) -> list[Judgment]:
        """Edit, have judged, and return the newest judgments."""
        bench = benchmark.load(self.root / "bench")
        made = run.Made(editor=Identity(), name="identity", options={})
        run.start(self.store, name, bench, made, now=NOW)
        work = run.Work(store=self.store, model=name, samples=bench.samples, workers=workers)
        run.edit(work, made.editor)
        seat = {"prompt": PROMPT, **seat}
        table = run.Bench(judge=judge, **seat)
        run.judge(work, table, now=NOW)
        return list(self.store.judgments(name, table.key).values())
