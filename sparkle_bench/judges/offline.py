"""A judge that runs vLLM inside this process: the server's prompts, frames and decoding, without a server.

The questions of all workers are answered in batches; see `batches.py`. What the model sees is checked before the first
question, as `sight.py` does with a server, but on the engine's own token ids.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from sparkle_bench.errors import JudgeUnavailable, SparkleError, listed, one_line
from sparkle_bench.judges import Question, Reply, Sees, made_up, sight
from sparkle_bench.judges.batches import Batches, Engine
from sparkle_bench.judges.message import MESSAGE_FORM
from sparkle_bench.judges.openai import Clock, described
from sparkle_bench.judges.vllm_engine import Look, Setup
from sparkle_bench.judges.vllm_start import start
from sparkle_bench.prompts import Prompt
from sparkle_bench.video import Pair, Sampling

__all__ = ["OfflineJudge", "Setup", "open_offline", "opened"]

LABEL_TOLERANCE = 0.0501
"""Seconds by which a time label of one decimal place may be off."""


class LookingEngine(Engine, Protocol):
    """An engine that can say what its model sees."""

    @property
    def version(self) -> str: ...

    @property
    def revision(self) -> str | None: ...

    @property
    def factor(self) -> int: ...

    @property
    def context(self) -> int: ...

    def look(self, text: str, pair: Pair) -> Look: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OfflineJudge:
    """A model loaded into this process.

    Attributes:
        setup: Which model, and how it is asked.
        version: The library that runs it, such as `vllm 0.11.0`.
        revision: The model's commit, or a hash of its folder's files.
        batches: The queue before it.
        sampling: How clips become pictures; None for whole files.
        clock: Who says when the frames were taken.
        checked: Whether the model's tokens showed that all frames arrive, at their times.
        notes: What a board's reader must know.
    """

    setup: Setup
    version: str
    revision: str | None
    batches: Batches
    sampling: Sampling | None
    clock: Clock = "stated"
    checked: bool = False
    notes: tuple[str, ...] = ()

    @property
    def sees(self) -> Sees:
        """Frames, or whole files."""
        return "files" if self.sampling is None else "frames"

    @property
    def seed(self) -> int:
        """Seed of the first repeat."""
        return self.setup.decoding.seed

    @property
    def identity(self) -> Mapping[str, Any]:
        """All that can change a verdict, except the prompt and the reader of replies."""
        return {
            "judge": "offline",
            "model": self.setup.published,
            "revision": self.revision,
            "server": self.version,
            "engine": self.setup.telling,
            "protocol": self.setup.protocol,
            "media": self.setup.media,
            "sampling": described(self.sampling),
            "clock": self.clock,
            "checked": self.checked,
            "decoding": asdict(self.setup.decoding),
            "message_form": MESSAGE_FORM,
        }

    def ask(self, question: Question) -> Reply:
        """Put one question, together with those that wait.

        Raises:
            RequestFailed: This question got no answer.
            JudgeUnavailable: The engine is dead, or was closed.
        """
        return self.batches.ask(question)

    def close(self) -> None:
        """Free the engine; what waits is refused."""
        self.batches.close()


def open_offline(setup: Setup, prompt: Prompt) -> OfflineJudge:
    """Load a model and return a judge that is ready to be asked.

    Args:
        setup: Which model, and how to ask it.
        prompt: What the judge will be asked; its length counts against the model's context.

    Raises:
        JudgeUnavailable: No vLLM, no such model, too little memory, no video support, frames lost or a context too short;
            the message says which, and the cure.
    """
    return opened(start(setup, prompt.rubric), setup, prompt)


def opened(engine: LookingEngine, setup: Setup, prompt: Prompt) -> OfflineJudge:
    """Check what a loaded engine's model sees, and return the judge; an engine that fails is closed.

    Raises:
        JudgeUnavailable: The model does not see what it should.
    """
    sampling: Sampling | None = None
    notes: tuple[str, ...] = (sight.WHOLE_FILES,)
    checked = False
    try:
        if setup.media == "mp4":
            _look(engine, setup, "Answer with one word.", made_up.files())
        else:
            sampling = Sampling(frames=setup.frames, max_pixels=setup.max_pixels, factor=engine.factor)
            checked = _check(engine, setup, prompt, sampling)
            notes = () if checked else (sight.UNVERIFIED,)
    except BaseException:
        engine.close()
        raise
    return OfflineJudge(
        setup=setup,
        version=engine.version,
        revision=engine.revision,
        batches=Batches(engine),
        sampling=sampling,
        clock="server" if setup.media == "mp4" else "stated",
        checked=checked,
        notes=notes,
    )


def _look(engine: LookingEngine, setup: Setup, text: str, pair: Pair) -> Look:
    try:
        return engine.look(text, pair)
    except SparkleError as error:
        raise JudgeUnavailable(one_line(error)) from error
    except Exception as error:  # whatever the engine does not like about such a question
        raise JudgeUnavailable(
            f"{setup.published} cannot take a question of two videos ({one_line(error, limit=160)}); choose a model that "
            "takes video, or a longer max_model_len, or fewer --frames or --max-pixels"
        ) from error


def _check(engine: LookingEngine, setup: Setup, prompt: Prompt, sampling: Sampling) -> bool:
    """Look at a made-up question as the model sees it; False where its video tokens have another name.

    Raises:
        JudgeUnavailable: The context is too short, frames are lost or their times are wrong.
    """
    pair = made_up.frames(sampling)
    seen = _look(engine, setup, prompt.render(sight.TYPICAL_INSTRUCTION), pair)
    needed = len(seen.tokens) + (setup.decoding.max_tokens or 1)
    if needed > engine.context:
        raise JudgeUnavailable(
            f"a question takes about {needed} tokens, {setup.published} has a context of {engine.context}; give it a longer "
            "max_model_len, or use fewer --frames or --max-pixels"
        )
    height, width = made_up.size(sampling)
    expected = sampling.frames * (height // sampling.factor) * (width // sampling.factor)
    pads = seen.text.count(sight.VIDEO_TOKEN)
    if pads not in (0, expected):
        raise JudgeUnavailable(
            f"{setup.published} gets {pads} video tokens where {expected} are due: its processor resizes or drops frames; "
            "use other --frames or --max-pixels"
        )
    _check_times(setup, sight.time_labels(seen.text), sight.expected_times(pair) * 2)
    return pads == expected


def _check_times(setup: Setup, labels: tuple[float, ...], true: list[float]) -> None:
    right = len(labels) == len(true) and all(abs(a - b) <= LABEL_TOLERANCE for a, b in zip(labels, true, strict=True))
    if labels and not right:
        told, due = (listed([f"{seconds:.1f} s" for seconds in times]) for times in (labels, true))
        raise JudgeUnavailable(f"{setup.published} labels the frames {told} where {due} is true; update vLLM")
