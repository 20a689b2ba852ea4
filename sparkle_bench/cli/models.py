"""The command that lists the editing models: `models`."""

from __future__ import annotations

import json
import os
import shutil
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import click

from sparkle_bench.cli import options as opt

if TYPE_CHECKING:
    from sparkle_bench.editors.listing import Listed, Option
    from sparkle_bench.editors.preset import Output, Preset
    from sparkle_bench.editors.readiness import Place

WIDTH = 120
NARROWEST = 60
STATE_WIDTH = 20
"""Of the last column, which may be cut; others are left out, the least needed first, until it has so much room."""
INDENT = 13
OPTION_WIDTH = 28


class Column(NamedTuple):
    """A column of the table: its head, its text, its width at most, and how long it is kept (0 for always)."""

    head: str
    text: Callable[[Listed], str]
    most: int
    dropped: int = 0


@click.command("models")
@click.argument("name", required=False)
@opt.as_json
@opt.one_line_errors
def models(name: str | None, as_json: bool) -> None:
    """List the models that `--model` knows: what they are, what they need, and what of it is missing here.

    NAME shows one in full, with its options: a name of the list, a preset's file (./mine.toml) or module:Class.
    """
    from sparkle_bench.editors import listing

    if name is not None:
        found = listing.one(name, _place())
        click.echo(_dumped(listing.to_data(found)) if as_json else "\n".join(_in_full(found)))
        return
    everything = listing.everything(_place())
    if as_json:
        click.echo(_dumped([listing.to_data(listed) for listed in everything]))
        return
    width = max(NARROWEST, min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns))
    click.echo("\n".join([*_table(everything, width), "", *_legend(width)]))


def _dumped(data: object) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False)


def _place() -> Place:
    """Return what is known of this machine."""
    from sparkle_bench.editors import readiness

    variables = frozenset(name for name, value in os.environ.items() if value)
    return readiness.Place(variables=variables, gpus=readiness.gpus())


# -- the list ----------------------------------------------------------------------------------------------------------


def _table(everything: Sequence[Listed], width: int) -> list[str]:
    """Return the list, group by group; what is ready comes first in each."""
    from sparkle_bench.editors import listing

    columns, lines = _columns(everything, width), list[str]()
    for title, group in _groups(everything):
        lines += ["", title] if lines else [title]
        lines.append(_line([column.head for column in columns], columns))
        lines += [_line([c.text(listed) for c in columns], columns) for listed in listing.sequence(group)]
    return lines


def _groups(everything: Sequence[Listed]) -> list[tuple[str, list[Listed]]]:
    groups: dict[str, list[Listed]] = {
        "Models that run here": [],
        "Programs of other projects": [],
        "Hosted models": [],
        "From other packages": [],
        "Controls, finished videos, and any program": [],
    }
    for listed in everything:
        groups[_group(listed)].append(listed)
    return [(title, group) for title, group in groups.items() if group]


def _group(listed: Listed) -> str:
    if listed.preset is None:
        return "From other packages" if listed.kind == "entry point" else "Controls, finished videos, and any program"
    if listed.preset.needs.key:
        return "Hosted models"
    return "Programs of other projects" if listed.kind == "program" else "Models that run here"


def _columns(everything: Sequence[Listed], width: int) -> list[Column]:
    columns = [
        Column("NAME", lambda listed: listed.name, 30),
        Column("KIND", lambda listed: listed.kind, 11, 1),
        Column("SIZE", _size, 6, 4),
        Column("LICENCE", _licence, 18, 2),
        Column("NEEDS", _needs, 24),
        Column("FRAMES", _frames, 11, 5),
        Column("RATE", _rate, 8, 3),
        Column("TRACK", lambda listed: listed.track or "–", 15, 6),
    ]
    columns = [c._replace(most=min(c.most, max(map(len, (c.head, *map(c.text, everything)))))) for c in columns]
    while _room(columns, width) < STATE_WIDTH and any(column.dropped for column in columns):
        columns.remove(min((c for c in columns if c.dropped), key=lambda column: column.dropped))
    return [*columns, Column("STATE", _state, max(STATE_WIDTH, _room(columns, width)))]


def _room(columns: Sequence[Column], width: int) -> int:
    return width - sum(column.most + 2 for column in columns)


def _line(texts: Sequence[str], columns: Sequence[Column]) -> str:
    cells = [_cut(text, column.most).ljust(column.most) for text, column in zip(texts, columns, strict=True)]
    return "  ".join(cells).rstrip()


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _size(listed: Listed) -> str:
    from sparkle_bench.report import parameters

    said = listed.declared
    return parameters(said.model.parameters) if said else "–"


def _licence(listed: Listed) -> str:
    return (listed.declared and listed.declared.model.license) or "–"


def _needs(listed: Listed) -> str:
    if listed.preset is None:
        return "–"
    from sparkle_bench.editors import readiness

    needs = listed.preset.needs
    parts = [
        f"{needs.gpu_gb:g} GB" if needs.gpu_gb else "",
        "key" if needs.key else "",
        "env" if needs.environment else "",
        "code" if needs.checkout or readiness.CHECKOUT in readiness.of_project(listed.preset) else "",
        "masks" if needs.masks else "",
    ]
    return ", ".join(filter(None, parts)) or "–"


def _frames(listed: Listed) -> str:
    from sparkle_bench.editors import listing

    return listing.frames(listed.preset) if listed.preset else "–"


def _rate(listed: Listed) -> str:
    from sparkle_bench.editors import listing

    return listing.rate(listed.preset.output) if listed.preset else "–"


def _state(listed: Listed) -> str:
    if listed.broken:
        _, _, why = listed.broken.partition(": ") if listed.broken.startswith("cannot load ") else ("", "", "")
        return f"broken: {why or listed.broken}"
    if listed.lacks:
        return ", ".join(lack.what for lack in listed.lacks)
    return "ready" + (f"; give {', '.join(listed.give)}" if listed.give else "")


def _legend(width: int) -> list[str]:
    text = (
        "NEEDS: GB of GPU memory; key, of its host; env, an environment that `sparkle-bench setup NAME` makes; code, a "
        "checkout of its project. FRAMES: most of a clip, and their rule. RATE: frames per second of the edits, own: as "
        "the model makes them; * not the source's frames one by one, ? not known beforehand. TRACK: what it is given, "
        "and so among which results it is ranked. STATE: what is missing here. `sparkle-bench models NAME` shows one in "
        "full. Any other class with a method edit(sample, out): --model module:Class."
    )
    return textwrap.wrap(text, width, break_on_hyphens=False)


# -- one model ---------------------------------------------------------------------------------------------------------


def _in_full(listed: Listed) -> list[str]:
    said = listed.declared.model if listed.declared else None
    facts = {
        "model": ", ".join(filter(None, [said.name, said.version, _size(listed).strip("–")])) if said else None,
        "licence": said.license if said else None,
        "link": said.link if said else None,
        "kind": listed.kind,
        "track": _track(listed),
        "weights": _weights(listed),
        **(_taken(listed.preset) if listed.preset else {}),
    }
    lines = [_line_of(listed.name, listed.about), ""]
    lines += [part for name, text in facts.items() if text for part in _fact(name, text)]
    lines += _state_lines(listed)
    if listed.options:
        lines += ["", "options (--option NAME=VALUE):", *_option_lines(listed.options)]
    return lines


def _line_of(name: str, about: str) -> str:
    return f"{name}  {about}" if about else name


def _fact(name: str, text: str) -> list[str]:
    return textwrap.wrap(f"{name:<{INDENT}}{text}", WIDTH, subsequent_indent=" " * INDENT, break_on_hyphens=False)


def _weights(listed: Listed) -> str | None:
    """Return where the weights are that would be used; None if the model is given none."""
    from sparkle_bench.editors import readiness

    named = listed.weights
    if named is None or readiness.is_folder(named):
        return named
    return f"{named} on the Hugging Face Hub, downloaded when it is first used"


def _track(listed: Listed) -> str | None:
    if listed.track is None:
        return None
    return "instruction only" if listed.track == "instruction" else f"{listed.track}, beyond the instruction"


def _taken(preset: Preset) -> dict[str, str]:
    """Return what is taken of a clip, how edits are written, and what must be there."""
    from sparkle_bench.editors import readiness

    fit, output, needs = preset.fit, preset.output, preset.needs
    facts = {"frames": "those of the source's file, which is given as it is"}
    if fit is not None:
        rule = "" if fit.frames == "any" else f", {fit.frames}"
        least = f", {fit.fewest} at least" if fit.fewest > 1 else ""
        facts["frames"] = f"the first {fit.most} at most{rule}{least}"
        pixels = f"at most {fit.most_pixels} pixels, " if fit.most_pixels else ""
        sides = f"{pixels}sides multiples of {fit.multiple}"
        facts["size"] = f"{fit.size[0]}x{fit.size[1]}" if fit.size else f"the source's, {sides}"
    facts["rate"] = _rate_in_full(output)
    project = readiness.of_project(preset)
    parts = [
        f"{needs.gpu_gb:g} GB of GPU memory" if needs.gpu_gb else "",
        f"a key in {needs.key}" if needs.key else "",
        f"an environment of its own ({', '.join(needs.environment)})" if needs.environment else "",
        "" if needs.environment else ", ".join(needs.libraries),
        f"a checkout of {needs.checkout or 'its project'}" if needs.checkout or readiness.CHECKOUT in project else "",
        "the interpreter of its project's environment" if readiness.PYTHON in project else "",
        "masks of what may change (white; --option mask_is=subject if white is the subject)" if needs.masks else "",
    ]
    for name in ("limits", "price"):
        said = preset.details.get(name)
        if isinstance(said, Mapping):
            facts[name] = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in said.items())
    facts["needs"] = "; ".join(filter(None, parts)) or "nothing but this package"
    return facts


def _rate_in_full(output: Output) -> str:
    rate = f"{output.fps:g} frames per second" if output.fps else None
    if output.aligned is None:
        told = "not known beforehand; each edit tells"
        return f"{rate}; whether frame i of an edit stands for frame i of the source is {told}" if rate else told
    usual, stands = ("the source's", "stands") if output.aligned else ("the model's own", "does not stand")
    return f"{rate or usual}; frame i of an edit {stands} for frame i of the source"


def _state_lines(listed: Listed) -> list[str]:
    given = " ".join(f"--option {name}=…" for name in listed.give)
    start = f"sparkle-bench edit --model {listed.name} {given}".rstrip()
    if listed.broken:
        return _fact("broken", listed.broken)
    if not listed.lacks:
        return [*_fact("state", "ready"), *_fact("next", start)]
    lines = []
    for lack in listed.lacks:
        lines += _fact("missing", f"{lack.what}: {lack.cure}")
    return [*lines, *_fact("then", start)]


def _option_lines(options: Sequence[Option]) -> list[str]:
    shown = [(_shown(option), option.meaning) for option in options]
    wide = min(OPTION_WIDTH, max(len(name) for name, _ in shown))
    lines = []
    for name, meaning in shown:
        head, rest = f"  {name}".ljust(wide + 2), " " * (wide + 4)
        lines += [head] if len(name) > wide else []
        text = f"{rest if len(name) > wide else f'{head}  '}{meaning}"
        lines += textwrap.wrap(text, WIDTH, subsequent_indent=rest, break_on_hyphens=False) or [head.rstrip()]
    return lines


def _shown(option: Option) -> str:
    if option.required:
        return f"{option.name}=…"
    return option.name if option.default is None else f"{option.name}={option.default}"
