"""Plays an interpreter with vLLM whose server answers as a judge does; it wants the key that it was started with.

Its first argument is a file; each question is noted there with the server's process.
"""

from __future__ import annotations

import os
import sys
import time
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.fake_judge import Answer, FakeJudge, _Handler
from tests.ray_editors import note

WRAPPER = '#!/bin/sh\nexec "{python}" "{script}" "{notes}" "$@"\n'


def interpreter(folder: Path, notes: Path) -> Path:
    """Write a program that plays an interpreter, and return it."""
    path = folder / "python-with-vllm"
    path.write_text(WRAPPER.format(python=sys.executable, script=Path(__file__).resolve(), notes=notes))
    path.chmod(0o755)
    return path


def main(notes: Path, words: list[str]) -> None:
    """Answer the question for vLLM, or serve."""
    if words[0] == "-c":
        return
    given = dict(zip(words, [*words[1:], ""], strict=True))

    def answer(body: dict[str, Any]) -> Answer:
        note(notes, asked=os.getpid(), key=os.environ.get("VLLM_API_KEY"), words=words)
        time.sleep(0.2)
        return Answer()

    fake = FakeJudge(models=(given["--served-model-name"],), key=os.environ.get("VLLM_API_KEY"), answer=answer)

    class Handler(_Handler):
        def do_GET(self) -> None:  # noqa: N802
            if self.path == "/health":
                self._send(Answer(body=b"{}"))
            else:
                super().do_GET()

    Handler.fake = fake
    note(notes, serves=os.getpid(), gpu=os.environ.get("CUDA_VISIBLE_DEVICES"), host=given["--host"])
    ThreadingHTTPServer((given["--host"], int(given["--port"])), Handler).serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
