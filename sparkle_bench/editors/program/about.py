"""What is recorded of another project's program: the options given, the project's commit, its libraries' versions."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from sparkle_bench import discretion
from sparkle_bench.editors.preset import Preset
from sparkle_bench.editors.program.spec import Spec
from sparkle_bench.editors.program.template import Values

LIBRARIES = ("torch", "diffusers", "transformers", "accelerate")
SECONDS = 60.0
"""The first start of an interpreter on a network's disk takes long."""


def command(spec: Spec) -> str:
    """Return the command without this machine's folders and secrets."""
    return " ".join(discretion.cleaned_words([_short(word) for word in spec.command]))


def options(spec: Spec, values: Values) -> dict[str, Any]:
    """Return the settings and options that are used, without this machine's folders and secrets."""
    told = (*spec.options, "seed", "steps", "guidance")
    used = {name: values[name] for name in told if name in values and name in spec.used}
    return {name: _told(name, value) if isinstance(value, str) else value for name, value in used.items()}


def output(preset: Preset) -> dict[str, Any]:
    """Return what the program is given of a clip, and how edits are written."""
    fit, how = preset.fit, preset.output
    said: dict[str, Any] = {}
    if fit is not None:
        size = f"{fit.size[0]}x{fit.size[1]}" if fit.size else "the source's"
        said = {"frames": fit.most, "multiple": fit.multiple, "size": size}
    aligned = "unknown" if how.aligned is None else how.aligned
    fps = how.fps or ("source" if how.aligned else "the program's")
    return {**said, "fps": fps, "crf": how.crf, "aligned": aligned}


def _told(name: str, value: str) -> str:
    return discretion.cleaned_words([_short(f"{name}={value}")])[0].partition("=")[2]


def _short(word: str) -> str:
    """Return a word in which an absolute path is cut to its last part, blanks in it or not."""
    name, equals, value = word.rpartition("=")
    return f"{name}{equals}{Path(value).name}" if value.startswith("/") else word


def project(values: Values) -> dict[str, Any]:
    """Return the checkout's commit and the versions of the libraries in its environment, as far as they are to be had."""
    commit = _commit(Path(str(values["checkout"]))) if "checkout" in values else None
    versions = _versions(str(values["python"])) if "python" in values else {}
    return ({"commit": commit} if commit else {}) | ({"libraries": versions} if versions else {})


def _commit(checkout: Path) -> str | None:
    """Return the commit that is checked out, with `-dirty` if a tracked file was changed; None if it is no repository."""
    head = _output(["git", "-C", str(checkout), "rev-parse", "HEAD"])
    if not head:
        return None
    changed = _output(["git", "-C", str(checkout), "status", "--porcelain", "--untracked-files=no"])
    return f"{head}-dirty" if changed else head


def _versions(python: str) -> dict[str, str]:
    code = (
        "import json, sys\nfrom importlib import metadata\nfound = {}\n"
        f"for name in {LIBRARIES!r}:\n"
        "    try:\n        found[name] = metadata.version(name)\n"
        "    except metadata.PackageNotFoundError:\n        pass\n"
        "print(json.dumps({'python': sys.version.split()[0], **found}))"
    )
    try:
        found = json.loads(_output([python, "-c", code]).rpartition("\n")[2])
    except ValueError:
        return {}
    return {str(name): str(version) for name, version in found.items()} if isinstance(found, dict) else {}


def _output(words: list[str]) -> str:
    """Return what a program prints; nothing if it fails."""
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=SECONDS, check=True, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""
    return done.stdout.strip()
