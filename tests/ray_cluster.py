"""A real Ray cluster on 127.0.0.1 for tests, in a process of its own: a head without work, and machines that come and go.

GPUs are only declared. Commands, one a line on standard input, are answered with a line: `add GPUS NAME=VALUE…` (of
its environment), `kill NUMBER`, `end`. Machines are counted from 0 in the order in which they came. Each has two
processors.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

STORE = 80 << 20
"""Bytes of each object store; Ray takes no less than 75 MiB."""
SETTINGS = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # Ray then stays on 127.0.0.1, also on Linux
    "RAY_USAGE_STATS_ENABLED": "0",
    # A lost machine is noticed within seconds, not in half a minute.
    "RAY_health_check_initial_delay_ms": "500",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "3000",
    "RAY_health_check_failure_threshold": "3",
    "PYTHONWARNINGS": "ignore",
}


class RayCluster:
    """The test's side of it."""

    def __init__(self, **settings: str) -> None:
        """Start a head.

        Args:
            settings: More of the environment of the head and of all machines.
        """
        self.machines: list[int | None] = []
        self.temporary = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # sockets need a short path
        self.process = subprocess.Popen(
            [sys.executable, __file__, self.temporary],
            env={**os.environ, **SETTINGS, **settings, "PYTHONPATH": str(Path(__file__).parent.parent)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        self.address = self._line()

    def add(self, gpus: int, **settings: str) -> int:
        """Let a machine join, and return its number. One with an environment of its own serves one test alone."""
        self.ask(" ".join([f"add {gpus}", *(f"{name}={value}" for name, value in settings.items())]))
        self.machines.append(-1 if settings else gpus)
        return len(self.machines) - 1

    def kill(self, number: int) -> None:
        """Kill a machine as a power cut would."""
        self.ask(f"kill {number}")
        self.machines[number] = None

    def have(self, *gpus: int) -> None:
        """Let machines come and go until just these are there."""
        left = list(gpus)
        for number, has in enumerate(self.machines):
            if has in left:
                left.remove(has)
            elif has is not None:
                self.kill(number)
        for number in left:
            self.add(number)

    def ask(self, command: str) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self._line()

    def _line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        assert line, "the Ray cluster has ended"
        return line

    def end(self) -> None:
        """End it with everything that it started."""
        try:
            self.ask("end")
            self.process.wait(20)
        finally:
            for sign in (signal.SIGTERM, signal.SIGKILL):
                try:
                    os.killpg(self.process.pid, sign)
                except ProcessLookupError:
                    break
            self.process.wait(20)
            for pipe in (self.process.stdin, self.process.stdout):
                if pipe is not None:
                    pipe.close()
            shutil.rmtree(self.temporary, ignore_errors=True)


def main(temporary: str) -> None:
    """Be the cluster."""
    answers = os.fdopen(os.dup(1), "w")  # Ray prints on standard output
    os.dup2(2, 1)
    from ray.cluster_utils import Cluster

    def say(words: str) -> None:
        answers.write(words + "\n")
        answers.flush()

    usual: dict[str, Any] = {"node_ip_address": "127.0.0.1", "object_store_memory": STORE}
    head = {"num_cpus": 0, "include_dashboard": False, "temp_dir": temporary}
    cluster: Any = Cluster(initialize_head=True, head_node_args={**usual, **head})
    say(cluster.address)
    machines = []
    for line in sys.stdin:
        command, *words = line.split()
        if command == "add":
            before = dict(os.environ)
            for word in words[1:]:
                name, _, value = word.partition("=")
                os.environ[name] = value
            machines.append(cluster.add_node(num_cpus=2, num_gpus=int(words[0]), **usual))
            os.environ.clear()
            os.environ.update(before)
        elif command == "kill":
            gone = machines[int(words[0])]
            cluster.remove_node(gone, allow_graceful=False)
            while any(node["NodeID"] == gone.node_id and node["Alive"] for node in cluster.global_state.node_table()):
                time.sleep(0.1)  # until the head knows it too
        elif command == "end":
            break
        say("done")
    cluster.shutdown()
    say("done")


if __name__ == "__main__":
    main(sys.argv[1])
