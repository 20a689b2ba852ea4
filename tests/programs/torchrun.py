"""Stands in for `torch.distributed.run`: it gives its worker a session of its own, as the real one does."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

parser = argparse.ArgumentParser(allow_abbrev=False)
parser.add_argument("--nproc_per_node", required=True)
parser.add_argument("--master_addr", required=True)
parser.add_argument("--master_port", type=int, required=True)
parser.add_argument("script")
parser.add_argument("rest", nargs=argparse.REMAINDER)
given = parser.parse_args()
environment = {**os.environ, "RANK": "0", "WORLD_SIZE": "1", "MASTER_PORT": str(given.master_port)}
worker = subprocess.Popen([sys.executable, given.script, *given.rest], env=environment, start_new_session=True)
if worker.wait():
    sys.stderr.write("=" * 60 + "\n" + "Root Cause (first observed failure): " + "exitcode : 1 " * 80 + "\n")
    raise ChildProcessError(f"torch.distributed.elastic.multiprocessing.errors.ChildFailedError: {given.script} FAILED")
