"""The command that lists the judges: `judges`."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from sparkle_bench.cli import options as opt

if TYPE_CHECKING:
    from sparkle_bench.judges.table import Preset

WIDTH = 120
OTHERS = (
    (
        "openai",
        "Any other model behind an OpenAI-compatible server: --judge-url URL, and --judge-model ID if it has many.",
    ),
    ("signals", "The embedded rules over measured signals: no VLM, cannot read content."),
    ("replay:FILE", "Replies of an earlier run, read again; nobody is asked."),
)
HEAD = ("NAME", "MODEL", "SIZE", "GPU MEMORY", "SHOWN", "USD PER 1M TOKENS")


@click.command("judges")
@opt.as_json
@opt.one_line_errors
def judges(as_json: bool) -> None:
    """List the judges that `--judge` knows: models, the memory they need, what they are shown, prices."""
    from sparkle_bench.judges import table

    presets = [table.load(name) for name in table.names()]
    others = [*OTHERS, *_entry_points()]
    if as_json:
        data = {
            "default": table.DEFAULT,
            "presets": [asdict(preset) for preset in presets],
            "others": [{"name": name, "about": about} for name, about in others],
        }
        click.echo(json.dumps(data, indent=2, ensure_ascii=False))
        return
    click.echo("\n".join([*_table(presets, table.DEFAULT), "", *_notes(presets), *_notes_of(others), "", _hint()]))


def _table(presets: Sequence[Preset], default: str) -> list[str]:
    rows = [HEAD, *(_row(preset, default) for preset in presets)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _row(preset: Preset, default: str) -> tuple[str, ...]:
    over = preset.engine.get("tensor_parallel_size", 1)
    memory = f"{preset.memory_gib:.0f} GiB on {over}" if preset.memory_gib else "hosted"
    shown = "whole files" if preset.media == "mp4" else f"{preset.frames} frames, {preset.max_pixels} pixels"
    price = f"{preset.price.input:.2f} in, {preset.price.output:.2f} out" if preset.price else ""
    name = f"{preset.name}*" if preset.name == default else preset.name
    size = preset.parameters if preset.parameters != "unknown" else "?"
    return name, preset.model, size, memory, shown, price


def _notes(presets: Sequence[Preset]) -> list[str]:
    """Return what stands below the table: for each preset its line and its note."""
    known = []
    for preset in presets:
        price = f"Price of {preset.price.as_of}, {preset.price.source}." if preset.price else ""
        known.append((preset.name, " ".join(filter(None, [preset.about, preset.note, price]))))
    return _notes_of(known)


def _notes_of(known: Sequence[tuple[str, str]]) -> list[str]:
    lines = []
    for name, about in known:
        lines += textwrap.wrap(f"{name:<17} {about}", WIDTH, subsequent_indent=" " * 18, break_on_hyphens=False)
    return lines


def _hint() -> str:
    return (
        "* the default. GPU memory: in all, on so many GPUs, at the context length of the preset.\n"
        "`sparkle-bench serve --judge NAME` starts one with vLLM; --judge-url URL names one that runs."
    )


def _entry_points() -> list[tuple[str, str]]:
    """Return the judges that other packages bring, with the first line of their documentation."""
    from sparkle_bench.judges import GROUP, JUDGES
    from sparkle_bench.registry import find, points

    found: list[tuple[str, str]] = []
    for point in points(GROUP):
        cls: Any = find(point.name, JUDGES, group=GROUP, what="judge")
        found.append((point.name, (cls.__doc__ or "").strip().partition("\n")[0]))
    return found
