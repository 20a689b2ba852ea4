"""A judge behind an OpenAI-compatible chat endpoint, as vLLM serves it.

One user message holds the prompt, the source and the edit. Frames go as `data:video/jpeg` (default), so that both clips
are sampled at the same instants, or whole files as `data:video/mp4`. Before the first question `connect` looks at what the
model will really see; see `probe.py`.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sparkle_bench.judges import Question, Reply, Sees
from sparkle_bench.judges.transport import Transport
from sparkle_bench.rubric import Rubric, reply_pattern
from sparkle_bench.video import Clip, Pair, Sampling, Timing, decoder

SOURCE_LABEL = "Source video:"
EDITED_LABEL = "Edited video:"
MESSAGE_FORM = 1
"""Changes with the way a question is put together."""

Media = Literal["frames", "mp4"]
Clock = Literal["stated", "server", "unverified"]
"""Who says when the frames were taken: the request (`stated`), the server's own rule, or nobody can tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """How the server turns the model into text.

    Attributes:
        temperature: 0 decodes greedily.
        again_temperature: When a reply could not be read and the question is put again.
        seed: Of the first repeat.
        max_tokens: Longest reply.
        constrained: Whether the reply must follow the rubric's regular expression.
    """

    temperature: float = 0.0
    again_temperature: float = 0.5
    seed: int = 42
    max_tokens: int = 512
    constrained: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """What the server says of itself.

    Attributes:
        model: The served model's name, used in requests.
        root: The last part of the weights' address, as the server reports it.
        version: `vllm 0.11.0`, or None.
        max_model_len: Tokens of context, or None.
    """

    model: str
    root: str | None = None
    version: str | None = None
    max_model_len: int | None = None

    @property
    def is_vllm(self) -> bool:
        """Whether vLLM's own request fields may be sent."""
        return self.version is not None and self.version.startswith("vllm")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAIJudge:
    """A model behind an OpenAI-compatible chat endpoint, such as vLLM's."""

    transport: Transport
    server: Server
    rubric: Rubric
    decoding: Decoding
    sampling: Sampling | None
    clock: Clock
    checked: bool = False
    notes: tuple[str, ...] = ()

    @property
    def sees(self) -> Sees:
        """Frames, or whole files."""
        return "files" if self.sampling is None else "frames"

    @property
    def seed(self) -> int:
        """Seed of the first repeat."""
        return self.decoding.seed

    @property
    def identity(self) -> Mapping[str, Any]:
        """All that can change a verdict, except the prompt and the reader of replies."""
        return {
            "judge": "openai",
            "model": _published(self.server.model),
            "root": self.server.root,
            "server": self.server.version,
            "media": "mp4" if self.sampling is None else "frames",
            "sampling": None if self.sampling is None else {**asdict(self.sampling), "decoder": decoder()},
            "clock": self.clock,
            "checked": self.checked,
            "decoding": asdict(self.decoding),
            "message_form": MESSAGE_FORM,
        }

    def ask(self, question: Question) -> Reply:
        """Put one question, with bounded retries.

        Raises:
            RequestFailed: This question got no answer.
            JudgeUnavailable: The judge is out of reach.
        """
        body = self.body(question)
        answer = self.transport.post("/chat/completions", body, _wrong)
        text: str = answer.data["choices"][0]["message"]["content"]
        return Reply(
            text=text.encode("utf-8", "backslashreplace").decode(),  # half a surrogate pair is no text
            prompt_tokens=_tokens(answer.data, "prompt_tokens"),
            completion_tokens=_tokens(answer.data, "completion_tokens"),
            failures=answer.failures,
            cut_off=answer.data["choices"][0].get("finish_reason") == "length",
        )

    def body(self, question: Question) -> dict[str, Any]:
        """Return the request's JSON."""
        again, pair = question.attempt > 0, question.pair
        assert pair is not None, "a judge that sees clips is shown a pair"
        body: dict[str, Any] = {
            "model": self.server.model,
            "messages": [{"role": "user", "content": content(question.prompt, pair)}],
            "temperature": self.decoding.again_temperature if again else self.decoding.temperature,
            "seed": question.seed + 1000 * question.attempt,
            "max_tokens": self.decoding.max_tokens,
        }
        if self.decoding.constrained:
            body["structured_outputs"] = {"regex": reply_pattern(self.rubric)}
        if self.clock == "stated" and pair.timing is not None:
            body["media_io_kwargs"] = {"video": stated(pair.timing)}
        return body


def _published(model: str) -> str:
    """Return a model's name without the folders of the machine that serves it."""
    return model.rstrip("/").rsplit("/", 1)[-1] if model.startswith(("/", "~", ".")) else model


def _tokens(answer: Mapping[str, Any], name: str) -> int | None:
    """Return a count of the answer's usage, or None if the server does not count."""
    usage = answer.get("usage")
    count = usage.get(name) if isinstance(usage, dict) else None
    return count if isinstance(count, int) else None


def content(prompt: str, pair: Pair) -> list[dict[str, Any]]:
    """Return the parts of the user message: the prompt, then both clips, each under its label."""
    return [
        {"type": "text", "text": prompt},
        {"type": "text", "text": SOURCE_LABEL},
        {"type": "video_url", "video_url": {"url": data_url(pair.before)}},
        {"type": "text", "text": EDITED_LABEL},
        {"type": "video_url", "video_url": {"url": data_url(pair.after)}},
    ]


def data_url(clip: Clip) -> str:
    """Return a clip as a data URL: one file, or JPEG pictures separated by commas."""
    return f"data:{clip.mime};base64," + ",".join(base64.b64encode(part).decode("ascii") for part in clip.parts)


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


def _wrong(answer: Mapping[str, Any]) -> str | None:
    """Say what is missing from a chat completion, or None."""
    try:
        text = answer["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError):
        return "the answer has no choices[0].message.content"
    return None if isinstance(text, str) and text.strip() else "the reply is empty"
