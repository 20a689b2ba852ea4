"""Finding, rendering and hashing what the judge is asked: `prompts/<benchmark>/rubric.toml` and `judge.md.j2`.

A `prompts/` folder under the root comes first, then the one shipped with the package. A template of the user's own may
be jinja2 or plain text with `{edit_prompt}` in it, such as the benchmark authors' prompt. The instruction is data: it is
inserted verbatim, whatever braces or verdicts it contains.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkle_bench.errors import PromptError, one_line
from sparkle_bench.rubric import Rubric, rubric_from_data

if TYPE_CHECKING:
    from jinja2 import Environment, Template

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TEMPLATE = "judge.md.j2"
RUBRIC = "rubric.toml"
PLACEHOLDER = "{edit_prompt}"
_PROBE = 'put the <subject> "{{ here }}" & {edit_prompt} 7f3a'


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A template and the rubric it speaks of.

    Attributes:
        text: The template, jinja2 or with `{edit_prompt}`.
        rubric: The rubric that the template and the reader of replies use.
        name: The template's file name, for records.
        past: Whether it was asked elsewhere and is only on record: it need not be known, nor show the instruction.
    """

    text: str
    rubric: Rubric
    name: str = TEMPLATE
    past: bool = False

    def __post_init__(self) -> None:
        if not self.past and _PROBE not in self.render(_PROBE):
            raise PromptError(
                f"the prompt template {self.name} does not show the instruction verbatim; "
                f"use {{{{ instruction }}}} or {PLACEHOLDER} in it"
            )

    @property
    def digest(self) -> str:
        """A hash over the template and the rubric (sha256, hexadecimal)."""
        return hashlib.sha256(f"{self.text}\0{self.rubric.digest}".encode()).hexdigest()

    def render(self, instruction: str) -> str:
        """Return the text that the judge is asked.

        Raises:
            PromptError: The template is not valid or uses an unknown variable.
        """
        if PLACEHOLDER in self.text:
            return self.text.replace(PLACEHOLDER, instruction)
        from jinja2 import TemplateError

        try:
            return _template(self.text).render(instruction=instruction, rubric=self.rubric)
        except (TemplateError, ArithmeticError, TypeError, ValueError, LookupError, RecursionError) as error:
            raise PromptError(f"the prompt template {self.name} is malformed: {one_line(error)}") from error


@functools.lru_cache(maxsize=8)
def _template(text: str) -> Template:
    """Return a template, compiled once: that takes longer than rendering it."""
    return _environment().from_string(text)


def _environment() -> Environment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    return SandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)


def folder(benchmark: str, root: Path) -> Path:
    """Return the folder of a benchmark's prompts: under `root`, else the one that ships with the package.

    Raises:
        PromptError: There is none.
    """
    candidates = [base / "prompts" / benchmark for base in _bases(root)]
    for candidate in candidates:
        if (candidate / RUBRIC).is_file() or (candidate / TEMPLATE).is_file():
            return candidate
    raise PromptError(f"no {RUBRIC} for the benchmark {benchmark!r}; looked in {candidates[0]} and the package")


def _bases(root: Path) -> list[Path]:
    package = Path(__file__).parent
    return [root, package / "_data", package.parent]  # the user's own, an installed wheel, a checkout


def companion(benchmark: str, name: str, root: Path) -> Path | None:
    """Return a file that lies beside a benchmark's rubric, under `root` or as shipped; None if there is none."""
    return next((file for base in _bases(root) if (file := base / "prompts" / benchmark / name).is_file()), None)


def load_rubric(path: Path) -> Rubric:
    """Read a `rubric.toml`.

    Raises:
        PromptError: The file is missing or malformed.
    """
    try:
        data: dict[str, Any] = tomllib.loads(_read(path))
    except tomllib.TOMLDecodeError as error:
        raise PromptError(f"{path} is not valid TOML: {error}") from error
    return rubric_from_data(data)


def load_prompt(benchmark: str, *, root: Path, template: Path | None = None) -> Prompt:
    """Load a benchmark's rubric and its template, or the user's own template or script that holds one.

    Raises:
        PromptError: A file is missing or malformed, or the template leaves the instruction out.
    """
    where = folder(benchmark, root)
    file = template or where / TEMPLATE
    text = _in_script(file) if file.suffix == ".py" else _read(file)
    return Prompt(text=text, rubric=load_rubric(where / RUBRIC), name=file.name)


def _in_script(path: Path) -> str:
    """Return the prompt in a script such as the benchmark authors': its one text constant with `{edit_prompt}` in it.

    The script is read, never run.
    """
    try:
        nodes = list(ast.walk(ast.parse(_read(path))))
    except (SyntaxError, ValueError, RecursionError) as error:
        raise PromptError(f"{path} is no Python script: {one_line(error)}") from error
    texts = {
        n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str) and PLACEHOLDER in n.value
    }
    if len(texts) != 1:
        raise PromptError(f"{path} holds {len(texts)} texts with {PLACEHOLDER}; one is needed")
    return texts.pop()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")  # universal newlines: the same hash on every system
    except (OSError, UnicodeDecodeError) as error:
        raise PromptError(f"cannot read {path}: {one_line(error)}") from error
