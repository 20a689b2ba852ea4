"""Stands in for `accelerate.commands.launch`."""

from __future__ import annotations

import argparse
import subprocess
import sys

parser = argparse.ArgumentParser(allow_abbrev=False)
parser.add_argument("--num_processes", type=int)
parser.add_argument("--num_machines", type=int)
parser.add_argument("--main_process_port", type=int)
parser.add_argument("--mixed_precision", choices=["no", "fp16", "bf16", "fp8"])
parser.add_argument("--dynamo_backend", choices=["no", "eager", "inductor"])
parser.add_argument("script")
parser.add_argument("rest", nargs=argparse.REMAINDER)
given = parser.parse_args()
sys.exit(subprocess.run([sys.executable, given.script, *given.rest], check=False).returncode)
