"""Any program that makes one video per call, such as `python infer.py --src {source} --prompt {instruction} --out {out}`.

The command is split as a shell would split it, but no shell runs it: instructions contain quotes, and are data.
"""

from __future__ import annotations

import math
import shlex
import shutil
from pathlib import Path

from sparkle_bench import discretion
from sparkle_bench.editors.process import Programs, Start
from sparkle_bench.editors.program import template
from sparkle_bench.errors import EditorError
from sparkle_bench.records import Effort, Sample

PLACEHOLDERS = ("source", "instruction", "out", "id", "theme", "subtheme", "scene")


class Command:
    """Any program: `--option cmd='… {source} {instruction} {out}'`, run once per sample without a shell."""

    thread_safe = True
    incidental = ("timeout",)

    def __init__(self, *, cmd: str, timeout: float = 3600.0) -> None:
        """Check a command line.

        Args:
            cmd: The command with `{source}`, `{instruction}` and `{out}`; `{id}`, `{theme}`, `{subtheme}` and
                `{scene}` may stand in it too.
            timeout: Seconds after which a call is ended.
        """
        try:
            self._words = shlex.split(cmd)
        except ValueError as error:
            raise EditorError(f"the command cannot be split into words: {error}") from error
        if not 0 < timeout < math.inf:
            raise EditorError(f"a time limit of {timeout} s is none")
        used = template.used(self._words)
        for name in used - set(PLACEHOLDERS):
            raise EditorError(f"the command has an unknown placeholder {{{name}}}; known: {', '.join(PLACEHOLDERS)}")
        if "out" not in used:
            raise EditorError("the command does not say where to write: it needs {out}")
        if shutil.which(self._words[0]) is None:
            raise EditorError(f"there is no program {self._words[0]!r} to run")
        self._timeout = timeout
        self._programs = Programs()

    def describe(self) -> dict[str, str]:
        """Return the command as others may read it: no folders of this machine, nothing that looks like a secret."""
        return {"cmd": shlex.join(discretion.cleaned_words(self._words)), "timeout": f"{self._timeout:g}"}

    def edit(self, sample: Sample, out: Path) -> Effort:
        """Run the command.

        Raises:
            EditorError: It cannot start, fails, runs out of time, or writes nothing. The end of what it printed is kept.
        """
        values = {
            "source": str(sample.source_path.resolve()),
            "instruction": sample.instruction,
            "out": str(out.resolve()),
            "id": sample.id,
            "theme": sample.theme,
            "subtheme": sample.subtheme,
            "scene": sample.scene,
        }
        words = [template.text(word, values) for word in self._words]
        ended = self._programs.run(Start(words=words, timeout=self._timeout))
        if ended.code is None:
            raise EditorError(f"the command ran longer than {self._timeout:g} s and was ended: {ended.tail}")
        if ended.code != 0:
            raise EditorError(f"the command ended with code {ended.code}: {ended.tail}")
        if not out.is_file():
            raise EditorError(f"the command ended well but wrote no file to {{out}}: {ended.tail}")
        return Effort(seconds=round(ended.seconds, 3), host_memory=ended.host_memory, gpu_memory=ended.gpu_memory)

    def close(self) -> None:
        """End every call that is still running."""
        self._programs.close()
