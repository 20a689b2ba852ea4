"""Asks a judge that runs inside this process about stored questions, and writes its answers as JSON.

Run by the vLLM interpreter:

    PYTHONPATH=tests/vllm_env:. python tests/vllm_env/offline_replies.py MODEL_DIR QUESTIONS.pickle OUT.json

The pickle holds the prompt and, by name, each setup (its model's folder left out) with the questions to ask it at once,
so that this process and the one that asks the server speak of the same bytes.
"""

import json
import multiprocessing
import os
import pickle
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from sparkle_bench.errors import SparkleError
from sparkle_bench.judges import Question, Reply
from sparkle_bench.judges.message import data_url, stated
from sparkle_bench.judges.offline import OfflineJudge, opened
from sparkle_bench.judges.vllm_engine import Request, VllmEngine
from sparkle_bench.judges.vllm_start import start


class Lent(VllmEngine):
    """One loaded model for several judges, one after the other."""

    def generate(self, requests: Sequence[Request]) -> list[Reply]:
        """Puts replies in brackets, so that an empty one, which is no answer, can be compared too."""
        return [replace(reply, text=f"[{reply.text}]") for reply in VllmEngine.generate(self, requests)]

    def close(self) -> None:
        """Leaves the model loaded for the next judge."""


def answer(judge: OfflineJudge, question: Question) -> dict[str, Any]:
    """Returns a reply, or the error that came instead, as JSON data."""
    try:
        return asdict(judge.ask(question))
    except SparkleError as error:
        return {"error": str(error), "type": type(error).__name__}


def pixels(engine: VllmEngine, question: Question) -> dict[str, Any]:
    """Returns whether the engine is given the pictures and facts that the server's own loader makes of a request."""
    import numpy as np
    from PIL import Image
    from qwen_vl_utils import process_vision_info
    from vllm.multimodal.media import MediaConnector

    pair = question.pair
    assert pair is not None and pair.timing is not None
    connector = MediaConnector(media_io_kwargs={"video": stated(pair.timing)})
    theirs = [connector.fetch_video(data_url(clip)).media for clip in (pair.before, pair.after)]
    ours = engine.prepare(question).prompt["multi_modal_data"]["video"]
    odd = [Image.new("RGB", (13 * engine.factor, 11 * engine.factor))] * 2
    video = [{"role": "user", "content": [{"type": "video", "video": odd}]}]
    fitted = process_vision_info(video, image_patch_size=engine.factor // 2)[1][0]
    return {
        "same": [bool(np.array_equal(our[0], their[0])) for our, their in zip(ours, theirs, strict=True)],
        "facts": [[our[1], their[1]] for our, their in zip(ours, theirs, strict=True)],
        "fits": tuple(fitted.shape[2:]) == (11 * engine.factor, 13 * engine.factor),
    }


def killed(judge: OfflineJudge, question: Question) -> list[dict[str, Any]]:
    """Returns what a judge says twice after its engine's process was killed."""
    for process in multiprocessing.active_children():
        process.kill()
    said = [answer(judge, question), answer(judge, question)]
    judge.close()
    return said


def main() -> None:
    """Reads the command line, asks, writes."""
    model, stored, out = sys.argv[1:]
    prompt, work = pickle.loads(Path(stored).read_bytes())
    first, _ = next(iter(work.values()))
    engine = start(replace(first, model=model), prompt.rubric)
    told: dict[str, Any] = {}
    for name, (setup, questions) in work.items():
        setup = replace(setup, model=model)
        lent = Lent(llm=engine.llm, template=engine.template, factor=engine.factor, setup=setup, rubric=engine.rubric)
        judge = opened(lent, setup, prompt)
        with ThreadPoolExecutor(len(questions)) as pool:
            replies = list(pool.map(answer, [judge] * len(questions), questions))
        seen = lent.look(questions[-1].prompt, questions[-1].pair)
        told[name] = {"identity": judge.identity, "notes": judge.notes, "replies": replies, "seen": asdict(seen)}
        judge.close()
    told["pixels"] = pixels(engine, work["plain"][1][0])
    told["killed"] = killed(opened(engine, engine.setup, prompt), work["plain"][1][0])
    Path(out).write_text(json.dumps(told), encoding="utf-8")


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    main()
