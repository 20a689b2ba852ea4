"""vLLM as a library: loads a model, makes of a question the very tokens and pixels that vLLM's server would, answers.

Frames go through `qwen_vl_utils` and the model's own processor, with the times at which they were taken. Whole files go
through `LLM.chat`, which samples them by vLLM's own rule, as its server does.

`qwen_vl_utils` (0.0.14) fits each picture of a list to multiples of twice the side it should: 56 pixels where a Qwen2.5-VL
takes 28. It is told half the patch size, which makes both of its fittings leave the pictures alone; that they did is
checked, pixel by pixel.
"""

from __future__ import annotations

import inspect
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkle_bench.errors import JudgeUnavailable, RequestFailed, one_line
from sparkle_bench.judges import Question, Reply
from sparkle_bench.judges.before_start import fingerprint
from sparkle_bench.judges.message import Manner, Protocol, content, stated
from sparkle_bench.judges.openai import ALTERNATIVES, Decoding, Media
from sparkle_bench.judges.serving import telling
from sparkle_bench.judges.soft import TokenChoice
from sparkle_bench.rubric import Rubric, reply_pattern
from sparkle_bench.video import Clip, Pair, Timing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PATIENCE = 30.0
"""Seconds that a closed engine gets to end."""
LEAST_LOGPROB = -9999.0
"""As vLLM's server writes a probability of nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """Which model judges inside this process, and how.

    Attributes:
        model: Hub id or folder.
        revision: Branch, tag or commit on the Hub; None for the newest.
        engine: Keyword options of `vllm.LLM`.
        media: Sampled frames or whole files.
        frames: Pictures per clip.
        max_pixels: At most so many pixels a picture.
        decoding: How the model's text is made.
        protocol: How a question is put: this project's way, or the benchmark authors'.
    """

    model: str
    revision: str | None = None
    engine: Mapping[str, Any] = field(default_factory=dict)
    media: Media = "frames"
    frames: int = 16
    max_pixels: int = 640 * 360
    decoding: Decoding = field(default_factory=Decoding)
    protocol: Protocol = "sparkle-bench"

    @property
    def folder(self) -> Path | None:
        """The model's folder on this machine, or None for one of the Hub."""
        path = Path(self.model).expanduser()
        return path if path.is_dir() or self.model.startswith(("/", "~", ".")) else None

    @property
    def source(self) -> str:
        """What vLLM and transformers load."""
        return self.model if self.folder is None else str(self.folder)

    @property
    def telling(self) -> dict[str, Any]:
        """The engine options that can change a verdict, such as `dtype` and `quantization`."""
        return telling(self.engine)

    @property
    def manner(self) -> Manner:
        """How a question is put."""
        return Manner(protocol=self.protocol)

    @property
    def published(self) -> str:
        """The model's name without the folders of this machine."""
        return self.model if self.folder is None else self.folder.resolve().name


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A question as vLLM takes it: a prompt for `generate` or a conversation for `chat`, and how to decode."""

    prompt: Any
    sampling: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the model sees of a question.

    Attributes:
        tokens: The ids of its tokens, video tokens included.
        text: All of them as text.
    """

    tokens: tuple[int, ...]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VllmEngine:
    """A loaded model.

    Attributes:
        llm: The `vllm.LLM`.
        template: The chat template of the model's processor, or None for its tokenizer's.
        factor: Picture sides must be multiples of this.
        setup: How to ask it.
        rubric: What a constrained reply must fit.
    """

    llm: Any
    template: str | None
    factor: int
    setup: Setup
    rubric: Rubric

    @property
    def version(self) -> str:
        """The library and its version."""
        import vllm

        return f"vllm {vllm.__version__}"

    @property
    def revision(self) -> str | None:
        """The commit of the loaded weights where the Hub gave it, else what was asked for; for a folder, its files' hash."""
        if self.setup.folder is not None:
            return fingerprint(self.setup.folder)
        commit = getattr(self.llm.llm_engine.model_config.hf_config, "_commit_hash", None)
        return commit if isinstance(commit, str) else self.setup.revision

    @property
    def context(self) -> int:
        """Most tokens of a question and its reply."""
        return int(self.llm.llm_engine.model_config.max_model_len)

    def prepare(self, question: Question) -> Request:
        """Turn a question into tokens, pixels and decoding options.

        Raises:
            RequestFailed: A picture cannot be read, or would be resized.
        """
        assert question.pair is not None, "a judge that sees clips is shown a pair"
        attempt = question.attempt if self.setup.protocol != "authors" else 0  # the authors ask the same again
        sampling = self._sampling(seed=question.seed + 1000 * attempt, again=attempt > 0)
        return Request(prompt=self._prompt(question.prompt, question.pair), sampling=sampling)

    def generate(self, requests: Sequence[Request]) -> list[Reply]:
        """Answer all requests, in their order.

        Raises:
            JudgeUnavailable: The engine is dead.
        """
        return [self._reply(output) for output in self._run(requests)]

    def look(self, text: str, pair: Pair) -> Look:
        """Return what the model sees of a question, after asking it for one token.

        Raises:
            JudgeUnavailable: The engine is dead.
        """
        from vllm import SamplingParams

        request = Request(prompt=self._prompt(text, pair), sampling=SamplingParams(temperature=0.0, max_tokens=1))
        ids = tuple(self._run([request])[0].prompt_token_ids)
        return Look(tokens=ids, text=self.llm.get_tokenizer().decode(ids, skip_special_tokens=False))

    def close(self) -> None:
        """End the engine's processes and free its memory.

        Newer versions of vLLM kill them after 5 s unless told to wait, before they have freed what they share.
        """
        shutdown = self.llm.llm_engine.engine_core.shutdown
        can_wait = "timeout" in inspect.signature(shutdown).parameters
        shutdown(**({"timeout": PATIENCE} if can_wait else {}))

    def _run(self, requests: Sequence[Request]) -> list[Any]:
        from vllm.v1.engine.exceptions import EngineDeadError

        prompts, sampling = [request.prompt for request in requests], [request.sampling for request in requests]
        try:
            if self.setup.media == "frames":
                return list(self.llm.generate(prompts, sampling, use_tqdm=False))
            chosen = {} if self.template is None else {"chat_template": self.template}
            thinking = self._thinking() or None
            return list(self.llm.chat(prompts, sampling, use_tqdm=False, chat_template_kwargs=thinking, **chosen))
        except EngineDeadError as error:
            raise JudgeUnavailable(
                f"the engine of {self.setup.published} died; its last words are above; run again"
            ) from error

    def _prompt(self, text: str, pair: Pair) -> Any:
        if self.setup.media == "mp4":
            return [{"role": "user", "content": content(text, pair, self.setup.manner)}]
        assert pair.timing is not None
        videos = [(self._pixels(clip), _metadata(pair.timing)) for clip in (pair.before, pair.after)]
        return {"prompt_token_ids": self._tokens(text, pair), "multi_modal_data": {"video": videos}}

    def _tokens(self, text: str, pair: Pair) -> list[int]:
        """Return the token ids of the server's user message, one video token for each clip."""
        parts = [
            part if part["type"] == "text" else {"type": "video"} for part in content(text, pair, self.setup.manner)
        ]
        tokenizer = self.llm.get_tokenizer()
        words = tokenizer.apply_chat_template(
            [{"role": "user", "content": parts}],
            chat_template=self.template,
            tokenize=False,
            add_generation_prompt=True,
            **self._thinking(),
        )
        return list(tokenizer.encode(words, add_special_tokens=False))

    def _thinking(self) -> dict[str, bool]:
        thinking = self.setup.decoding.thinking
        return {} if thinking is None else {"enable_thinking": thinking}

    def _pixels(self, clip: Clip) -> NDArray[np.uint8]:
        """Return a clip's pictures (frames×H×W×3, uint8), by way of `qwen_vl_utils`.

        Raises:
            RequestFailed: A picture cannot be read, or would be resized.
        """
        import numpy as np
        from qwen_vl_utils import process_vision_info

        pictures = decoded(clip)
        height, width = pictures[0].height, pictures[0].width
        video = {"type": "video", "video": pictures, "resized_height": height, "resized_width": width}
        _, videos = process_vision_info([{"role": "user", "content": [video]}], image_patch_size=self.factor // 4)
        shown: NDArray[np.uint8] = videos[0].permute(0, 2, 3, 1).numpy().astype(np.uint8)
        if not np.array_equal(shown, np.stack([np.asarray(picture) for picture in pictures])):
            raise RequestFailed(
                f"qwen_vl_utils changed pictures of {width}x{height}; sides must be multiples of {self.factor}",
                systemic=False,
            )
        return shown

    def _sampling(self, *, seed: int, again: bool) -> Any:
        """Return vLLM's decoding options; what the request leaves open is the model's own, as on the server."""
        from vllm import SamplingParams
        from vllm.sampling_params import StructuredOutputsParams

        decoding = self.setup.decoding
        options: dict[str, Any] = {"max_tokens": None, **self.llm.llm_engine.model_config.get_diff_sampling_param()}
        options |= {"temperature": decoding.again_temperature if again else decoding.temperature, "seed": seed}
        if decoding.max_tokens is not None:
            options["max_tokens"] = decoding.max_tokens
        if decoding.constrained:
            options["structured_outputs"] = StructuredOutputsParams(regex=reply_pattern(self.rubric))
        if decoding.soft:
            options["logprobs"] = ALTERNATIVES
        return SamplingParams(**options)

    def _reply(self, output: Any) -> Reply:
        completion = output.outputs[0]
        return Reply(
            text=completion.text.encode("utf-8", "backslashreplace").decode(),
            prompt_tokens=len(output.prompt_token_ids),
            completion_tokens=len(completion.token_ids),
            cut_off=completion.finish_reason == "length",
            tokens=_choices(completion) if self.setup.decoding.soft else (),
        )


def decoded(clip: Clip) -> list[Any]:
    """Return a clip's JPEG pictures decoded by Pillow, as vLLM's server does.

    Raises:
        RequestFailed: One cannot be decoded.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        return [Image.open(io.BytesIO(part), formats=["JPEG"]).convert("RGB") for part in clip.parts]
    except (UnidentifiedImageError, OSError) as error:
        raise RequestFailed(f"a picture cannot be decoded: {one_line(error)}", systemic=False) from error


def _metadata(timing: Timing) -> dict[str, Any]:
    """Return what vLLM's server makes of `openai.stated`: when the frames were taken, and to keep them all."""
    told = stated(timing)
    return {
        "total_num_frames": told["total_num_frames"],
        "fps": told["fps"],
        "duration": told["total_num_frames"] / told["fps"],
        "video_backend": "jpeg_sequence",
        "frames_indices": told["frames_indices"],
        "do_sample_frames": False,
    }


def _choices(completion: Any) -> tuple[TokenChoice, ...]:
    """Return the tokens of a reply with their alternatives, as the server lists them."""
    choices = []
    for token, listed in zip(completion.token_ids, completion.logprobs, strict=True):
        ranked = [listed[token], *list(listed.values())[:ALTERNATIVES]]
        alternatives = {str(entry.decoded_token): max(float(entry.logprob), LEAST_LOGPROB) for entry in ranked}
        choices.append(TokenChoice(text=str(listed[token].decoded_token), alternatives=alternatives))
    return tuple(choices)
