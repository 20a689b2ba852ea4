"""What its makers declare of a model, in a `submission.toml` beside the videos; read strictly, for a board shows it.

Nothing in it is checked against the world: it is their word, bounded in size and free of characters that are not text.
What is left out, or is an empty text, is not declared.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from sparkle_bench.benchmark import suggestion
from sparkle_bench.errors import SubmissionError, one_line
from sparkle_bench.submission.card_rules import RULES, found

NAME = "submission.toml"
INSTRUCTION = "instruction"
"""The track of models that get the source and the instruction, as the benchmark means it."""
MOST_BYTES = 64 * 1024
MOST_DOTS = 100
"""On one line. A key such as `a.a.a…` costs the reader of TOML time and memory with the square of its length: 64 KiB of it
took 25 s and 4 GiB."""

Answer = Literal["yes", "no", "unknown"]
Weights = Literal["open", "closed", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """The model under test.

    Attributes:
        name: As its makers write it.
        version: A release or a checkpoint.
        parameters: How many it has.
        license: Of its weights, or how it can be used.
        weights: `open` if anybody can download them, under whatever licence, else `closed`.
        link: Where more is said of it.
    """

    name: str
    version: str | None = None
    parameters: int | None = None
    license: str | None = None
    weights: Literal["open", "closed"] | None = None
    link: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Makers:
    """Who made the videos.

    Attributes:
        who: The model's authors, or others.
        name: A person or a group.
    """

    who: Literal["authors", "others"] | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the videos were made.

    Attributes:
        steps: Of sampling.
        guidance: Its scale.
        seed: Of the noise.
        frames: Of a clip as generated.
        fps: Its frames per second.
        width: In pixels.
        height: In pixels.
        notes: All else.
    """

    steps: int | None = None
    guidance: float | None = None
    seed: int | None = None
    frames: int | None = None
    fps: float | None = None
    width: int | None = None
    height: int | None = None
    notes: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What the model was trained on.

    Attributes:
        data: In words.
        sparkle: Whether it overlaps the videos that the benchmark was made from.
        openve_3m: Whether it overlaps OpenVE-3M, from which the benchmark's sources come.
    """

    data: str | None = None
    sparkle: Answer | None = None
    openve_3m: Answer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What the model was given beyond the source and the instruction.

    Attributes:
        masks: Masks of the subject.
        first_frame: An edited first frame.
        reference_image: A picture of what is wanted.
        other: Anything else, in words.
    """

    masks: bool | None = None
    first_frame: bool | None = None
    reference_image: bool | None = None
    other: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What is declared of a model and its videos; a field that is None was not declared."""

    model: Model
    made_by: Makers = Makers()
    settings: Settings = Settings()
    training: Training = Training()
    inputs: Inputs = Inputs()

    @property
    def track(self) -> str:
        """Among which results it is ranked: `instruction`, or the extra inputs, such as `masks + reference image`."""
        given = [item.name.replace("_", " ") for item in fields(Inputs) if getattr(self.inputs, item.name)]
        return " + ".join(given) or INSTRUCTION

    @property
    def overlap(self) -> Answer:
        """Whether the training data overlaps the benchmark's sources."""
        answers = (self.training.sparkle, self.training.openve_3m)
        return "yes" if "yes" in answers else "no" if answers == ("no", "no") else "unknown"

    @property
    def weights(self) -> Weights:
        """Whether anybody can download the model."""
        return self.model.weights or "unknown"


_SECTIONS: Mapping[str, type[Any]] = {
    "model": Model, "made_by": Makers, "settings": Settings, "training": Training, "inputs": Inputs,
}  # fmt: skip


# -- reading and writing ---------------------------------------------------------------------------------------------


def read(path: Path) -> Card:
    """Read a `submission.toml`.

    Raises:
        SubmissionError: It is missing, too large, no TOML, or says something that it cannot say.
    """
    try:
        return from_data(toml(_content(path)))
    except UnicodeDecodeError as error:
        raise SubmissionError(f"{path} is not UTF-8 text; save it as such") from error
    except RecursionError as error:
        raise SubmissionError(f"{path} is not valid TOML: nested too deeply") from error
    except SubmissionError as error:
        raise SubmissionError(f"{path}: {error}") from error
    except ValueError as error:  # TOMLDecodeError, or a number of too many digits
        raise SubmissionError(f"{path} is not valid TOML: {one_line(error)}") from error


def toml(text: str) -> dict[str, Any]:
    """Read TOML. Its reader is loaded here, since a worker process of an older Python has none and needs none.

    Raises:
        ValueError: It is none.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    data: dict[str, Any] = tomllib.loads(text)
    return data


def _content(path: Path) -> str:
    if not path.is_file():  # never a pipe, which would wait for ever
        raise SubmissionError("there is no such file; `sparkle-bench validate --init` writes one to fill in")
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise SubmissionError(f"cannot be read ({error.strerror})") from error
    if len(content) > MOST_BYTES:
        raise SubmissionError(
            f"larger than {MOST_BYTES // 1024} KiB; keep notes short and put the rest behind the link"
        )
    text = content.decode("utf-8-sig")
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") > MOST_DOTS:
            raise SubmissionError(
                f"line {number} has more than {MOST_DOTS} dots; shorten it, or break a text in three quotes"
            )
    return text


def from_data(data: object) -> Card:
    """Return what `to_data` or a TOML file holds.

    Raises:
        SubmissionError: Naming the first thing that is unknown, missing or of the wrong kind.
    """
    if not isinstance(data, Mapping):
        raise SubmissionError(f"expected sections such as [model], found {found(data)}")
    for name in data:
        if name not in RULES:
            raise SubmissionError(f"unknown section {one_line(repr(name), limit=60)}; {_place(name, RULES)}")
    sections = {name: _section(name, data.get(name, {})) for name in RULES}
    return Card(**sections)


def _section(name: str, data: object) -> Any:
    if not isinstance(data, Mapping):
        raise SubmissionError(f"{name}: expected a section [{name}], found {found(data)}")
    rules, values = RULES[name], {}
    for key, value in data.items():
        if key not in rules:
            raise SubmissionError(f"unknown key {one_line(repr(key), limit=60)} in [{name}]; {_place(key, rules)}")
        if isinstance(value, str) and not value.strip():
            continue
        values[key] = rules[key].kept(value)
        if values[key] is None:
            raise SubmissionError(f"{name}.{key}: expected {rules[key].expected}; found {found(value)}")
    for item in fields(_SECTIONS[name]):
        if item.default is MISSING and item.name not in values:
            raise SubmissionError(f"{name}.{item.name} is missing or empty; it is needed")
    return _SECTIONS[name](**values)


def _place(name: object, known: Mapping[str, object]) -> str:
    """Say where a name that is unknown here may belong."""
    text = str(name)[:100]
    home = next((section for section, rules in RULES.items() if text in rules), None)
    return f"it belongs under [{home}]" if home else suggestion(text, known)


def to_data(card: Card) -> dict[str, dict[str, Any]]:
    """Return what was declared, and nothing else, as JSON data in a fixed order."""
    data = {}
    for name, record in _SECTIONS.items():
        section = getattr(card, name)
        values = {item.name: getattr(section, item.name) for item in fields(record)}
        data[name] = {key: value for key, value in values.items() if value is not None}
    return {name: values for name, values in data.items() if values}


def template() -> str:
    """Return a `submission.toml` to fill in, every key with a comment."""
    return Path(__file__).with_name("template.toml").read_text(encoding="utf-8")


def write_template(folder: Path) -> Path:
    """Write a `submission.toml` to fill in.

    Raises:
        SubmissionError: There is one already, or it cannot be written.
    """
    path = folder / NAME
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(template())
    except FileExistsError as error:
        raise SubmissionError(f"{path} exists already; edit it, or move it away") from error
    except OSError as error:
        raise SubmissionError(f"cannot write {path}: {error.strerror}") from error
    return path
