"""Plays an interpreter with vLLM for the tests of the launcher; what it does stands in `STAND_IN`, as JSON.

{"vllm": false}                       this interpreter has no vLLM
{"say": "text", "status": 1}          prints and ends before it answers
{"after": 1.5}                        answers so many seconds late
{"for": 2.0}                          answers so many seconds, then dies
{"child": true}                       has a child that would outlive it
{"deaf": true}                        does not hear SIGTERM; neither does its child
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

WRAPPER = '#!/bin/sh\nexec "{python}" "{script}" "$@"\n'
LOADING = "(APIServer pid=7) INFO 11-24 19:00:00 [core.py:9] Loading weights"


def interpreter(folder: Path) -> Path:
    """Write a program that plays an interpreter, and return it."""
    path = folder / "python-with-vllm"
    path.write_text(WRAPPER.format(python=sys.executable, script=Path(__file__).resolve()))
    path.chmod(0o755)
    return path


def option(name: str) -> str:
    """Return what the server was given for an option."""
    return sys.argv[sys.argv.index(name) + 1]


class _Api(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"data": [{"id": option("--served-model-name")}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def play(part: dict[str, Any]) -> None:
    """Be the server."""
    if part.get("deaf"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if part.get("child"):
        subprocess.Popen(["sleep", "300"])
    sys.stdout.write(f"pid {os.getpid()}\n{LOADING}\n")
    sys.stdout.flush()
    if "say" in part:
        sys.stdout.write(part["say"])
        sys.exit(part.get("status", 1))
    time.sleep(part.get("after", 0.0))
    server = ThreadingHTTPServer((option("--host"), int(option("--port"))), _Api)
    if "for" in part:
        threading.Timer(part["for"], lambda: os._exit(3)).start()
    server.serve_forever()


def main() -> None:
    """Answer the question for vLLM, or serve."""
    part = json.loads(os.environ.get("STAND_IN", "{}"))
    if sys.argv[1] == "-c":
        sys.exit(0 if part.get("vllm", True) else 3)
    play(part)


if __name__ == "__main__":
    main()
