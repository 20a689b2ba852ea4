"""A judge behind an OpenAI-compatible chat endpoint, as vLLM serves it, one server or several.

One user message holds the prompt, the source and the edit. Frames go as `data:video/jpeg` (default), so that both clips
are sampled at the same instants, or whole files as `data:video/mp4`. Before the first question `connect` looks at what the
model will really see; see `probe.py`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sparkle_bench.judges import Question, Reply, Sees
from sparkle_bench.judges.message import MESSAGE_FORM, PLAIN, Manner, Media, Url, content, data_url, packed, stated
from sparkle_bench.judges.pool import Pool, Post
from sparkle_bench.judges.soft import TokenChoice
from sparkle_bench.judges.transport import tokens_of
from sparkle_bench.rubric import Rubric, reply_pattern
from sparkle_bench.video import FORM, Pair, Sampling, decoder

__all__ = ["Clock", "Decoding", "Media", "OpenAIJudge", "Server", "content", "data_url", "published", "stated"]

Clock = Literal["stated", "server", "unverified"]
"""Who says when the frames were taken: the request (`stated`), the server's own rule, or nobody can tell."""
AUTHORS_WAIT = 3.0
"""Seconds between tries in the authors' script."""
ALTERNATIVES = 20
"""Listed per token for expected marks; the most that the API allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """How the server turns the model into text.

    Attributes:
        temperature: 0 decodes greedily.
        again_temperature: When a reply could not be read and the question is put again.
        seed: Of the first repeat.
        max_tokens: Longest reply; None leaves it to the server.
        constrained: Whether the reply must follow the rubric's regular expression.
        thinking: Whether a model that can think first shall; None leaves it as it is.
        soft: Whether the probabilities of the marks' tokens are asked for.
    """

    temperature: float = 0.0
    again_temperature: float = 0.5
    seed: int = 42
    max_tokens: int | None = 512
    constrained: bool = False
    thinking: bool | None = None
    soft: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """What the server says of itself.

    Attributes:
        model: The served model's name, used in requests.
        root: The last part of the weights' address, as the server reports it.
        version: `vllm 0.11.0`, or None.
        max_model_len: Tokens of context, or None.
        revision: The weights' commit or files, where we started the server ourselves or the user says so.
        place: A hash of the names under which the server knows the weights, folders and all, for two models may have
            the same last part; None where `revision` tells them apart.
        engine: Its options that can change a verdict, where we started it ourselves.
    """

    model: str
    root: str | None = None
    version: str | None = None
    max_model_len: int | None = None
    revision: str | None = None
    place: str | None = None
    engine: Mapping[str, Any] | None = None

    @property
    def is_vllm(self) -> bool:
        """Whether vLLM's own request fields may be sent."""
        return self.version is not None and self.version.startswith("vllm")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAIJudge:
    """A model behind an OpenAI-compatible chat endpoint, such as vLLM's."""

    pool: Pool
    server: Server
    rubric: Rubric
    decoding: Decoding
    sampling: Sampling | None
    clock: Clock
    manner: Manner = PLAIN
    checked: bool = False
    tokens: int = 0
    trial: Callable[[], None] | None = None
    notes: tuple[str, ...] = ()

    def prepare(self) -> None:
        """Make sure, where looking at the server could not, that it takes a question with two clips.

        Raises:
            JudgeUnavailable: It does not.
        """
        if self.trial is not None:
            self.trial()

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
            "model": published(self.server.model),
            "root": self.server.root,
            "revision": self.server.revision,
            "place": self.server.place,
            "server": self.server.version,
            "engine": None if self.server.engine is None else dict(self.server.engine),
            "protocol": self.manner.protocol,
            "media": "mp4" if self.sampling is None else "frames",
            "part": self.manner.part,
            "sampling": described(self.sampling),
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
        authors = self.manner.protocol == "authors"
        answer = self.pool.post(
            Post(
                path="/chat/completions",
                body=packed(functools.partial(self.body, question)),
                check=_wrong,
                tokens=self.tokens + (self.decoding.max_tokens or 0),
                tries=question.left,
                wait=AUTHORS_WAIT if authors else None,
                insist=authors,
            )
        )
        choice = answer.data["choices"][0]
        counted = tokens_of(answer.data)
        prompt_tokens, completion_tokens = (count + lost for count, lost in zip(counted, answer.lost, strict=True))
        text: str = choice["message"]["content"]
        return Reply(
            text=text.encode("utf-8", "backslashreplace").decode(),  # half a surrogate pair is no text
            prompt_tokens=prompt_tokens or None,
            completion_tokens=completion_tokens or None,
            failures=answer.failures,
            cut_off=choice.get("finish_reason") == "length",
            tokens=_choices(choice) if self.decoding.soft else (),
            latency=round(answer.seconds, 3),
        )

    def body(self, question: Question, url: Url = data_url) -> dict[str, Any]:
        """Return the request's JSON; `url` makes an address of a clip."""
        again, pair = question.attempt > 0 and self.manner.protocol != "authors", question.pair
        assert pair is not None, "a judge that sees clips is shown a pair"
        decoding = self.decoding
        body: dict[str, Any] = {
            "model": self.server.model,
            "messages": [{"role": "user", "content": content(question.prompt, pair, self.manner, url)}],
            "temperature": decoding.again_temperature if again else decoding.temperature,
            "seed": question.seed + (1000 * question.attempt if again else 0),
        }
        if decoding.max_tokens is not None:
            body["max_tokens"] = decoding.max_tokens
        if decoding.soft:
            body |= {"logprobs": True, "top_logprobs": ALTERNATIVES}
        if decoding.thinking is not None:
            body["chat_template_kwargs"] = {"enable_thinking": decoding.thinking}
        if decoding.constrained:
            body["structured_outputs"] = {"regex": reply_pattern(self.rubric)}
        return body | self.media_options(pair)

    def media_options(self, pair: Pair) -> dict[str, Any]:
        """Return what tells vLLM when the frames were taken, if that may be stated."""
        told = self.clock == "stated" and self.manner.part == "video_url" and pair.timing is not None
        return {"media_io_kwargs": {"video": stated(pair.timing)}} if told and pair.timing else {}


def described(sampling: Sampling | None) -> dict[str, Any] | None:
    """Return all that decides which pictures a judge sees: instants, sizes, codec and the libraries' versions."""
    if sampling is None:
        return None
    return {
        **asdict(sampling),
        "form": FORM,
        "instants": "spread evenly over each clip, its first and last frame included",
        "codec": "JPEG",
        "decoder": decoder(),
    }


def published(model: str) -> str:
    """Return a model's name without the folders of the machine that serves it."""
    return model.rstrip("/").rsplit("/", 1)[-1] if model.startswith(("/", "~", ".")) else model


def _choices(choice: Mapping[str, Any]) -> tuple[TokenChoice, ...]:
    """Return the reply's tokens with their alternatives; none where the server gives none or in a form unknown here."""
    try:
        return tuple(
            TokenChoice(
                text=_token(token),
                alternatives={_token(top): float(top["logprob"]) for top in (token, *token["top_logprobs"])},
            )
            for token in choice["logprobs"]["content"]
        )
    except (KeyError, TypeError, ValueError):
        return ()


def _token(token: Mapping[str, Any]) -> str:
    data = token.get("bytes")
    return bytes(data).decode("utf-8", "surrogateescape") if data else str(token["token"])


def _wrong(answer: Mapping[str, Any]) -> str | None:
    """Say what is missing from a chat completion, or None."""
    try:
        text = answer["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError):
        return "the answer has no choices[0].message.content"
    return None if isinstance(text, str) and text.strip() else "the reply is empty"
