"""Loading a model into this process with vLLM, and one line with the cure where that does not work."""

from __future__ import annotations

from typing import Any

from sparkle_bench.errors import JudgeUnavailable, one_line
from sparkle_bench.judges.vllm_engine import Setup, VllmEngine
from sparkle_bench.rubric import Rubric

INSTALL = "install it with pip install 'sparkle-bench[vllm]', or ask a server with --judge-url"
ROOM = "choose a smaller judge, a smaller max_model_len, a higher gpu_memory_utilization or more GPUs (tensor_parallel_size)"


def start(setup: Setup, rubric: Rubric) -> VllmEngine:
    """Load a model; this takes from half a minute to many.

    Raises:
        JudgeUnavailable: No vLLM, no such model, no video, or vLLM refuses it; the message has the cure.
    """
    llm_class = _imported()
    processor = _processor(setup)
    factor = _factor(setup, processor)
    options: dict[str, Any] = {"limit_mm_per_prompt": {"image": 0, "video": 2}, **setup.engine}
    if setup.revision is not None and setup.folder is None:
        options |= {"revision": setup.revision, "tokenizer_revision": setup.revision}
    try:
        llm = llm_class(model=setup.source, **options)
    except Exception as error:  # vLLM raises whatever its parts raise
        raise JudgeUnavailable(_why(setup, error)) from error
    template = getattr(processor, "chat_template", None)
    return VllmEngine(llm=llm, template=template, factor=factor, setup=setup, rubric=rubric)


def _imported() -> Any:
    try:
        import qwen_vl_utils  # noqa: F401
        from vllm import LLM
    except ModuleNotFoundError as error:
        raise JudgeUnavailable(f"judging inside this process needs {error.name}; {INSTALL}") from error
    except Exception as error:  # a torch of another build fails in many ways
        raise JudgeUnavailable(
            f"vLLM cannot be loaded: {type(error).__name__}: {one_line(error)}; {INSTALL}"
        ) from error
    return LLM


def _processor(setup: Setup) -> Any:
    from transformers import AutoProcessor

    if setup.folder is not None and not setup.folder.is_dir():
        raise JudgeUnavailable(f"there is no folder {setup.model}; give a model's folder or its id on the Hub")
    trust = bool(setup.engine.get("trust_remote_code", False))
    try:
        return AutoProcessor.from_pretrained(setup.source, revision=setup.revision or "main", trust_remote_code=trust)
    except (OSError, ValueError) as error:
        raise JudgeUnavailable(
            f"the model {setup.model} cannot be loaded; check its id and revision, the network and, for a gated model, "
            f"hf auth login: {one_line(error)}"
        ) from error


def _factor(setup: Setup, processor: Any) -> int:
    eyes = getattr(processor, "video_processor", None)
    patch, merge = getattr(eyes, "patch_size", None), getattr(eyes, "merge_size", None)
    if not isinstance(patch, int) or not isinstance(merge, int):
        raise JudgeUnavailable(f"{setup.published} takes no video as the Qwen-VL models do; choose one of these")
    return patch * merge


def _why(setup: Setup, error: Exception) -> str:
    """Say why vLLM did not start. Its engine's process writes the reason to the log; only a hint of it arrives here."""
    words = one_line(error)
    if isinstance(error, TypeError) and "keyword" in words:
        return f"vLLM has no such engine option: {words}"
    if isinstance(error, RuntimeError) and "initialization failed" in words.lower():
        return f"vLLM's engine did not start {setup.published}; its reason is above; if that is memory, {ROOM}"
    if "memory" in words.lower():
        return f"{setup.published} does not fit into memory: {words}; {ROOM}"
    return f"vLLM refuses {setup.published}: {type(error).__name__}: {words}"
