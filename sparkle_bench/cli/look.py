"""The command that only looks: `show`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sparkle_bench.cli import options as opt

if TYPE_CHECKING:
    from sparkle_bench.records import Edit, Effort, Judgment, Measurement, Probe
    from sparkle_bench.rubric import Rubric


@click.command("show")
@click.argument("model")
@click.argument("sample_id")
@opt.root
@opt.as_json
@opt.one_line_errors
def show(model: str, sample_id: str, root: Path, as_json: bool) -> None:
    """Show all that is known of one sample: the instruction, the edit, its signals, each judge's words, marks and flags."""
    from sparkle_bench.audit import audit
    from sparkle_bench.benchmark import suggestion
    from sparkle_bench.errors import StoreError
    from sparkle_bench.records import to_json
    from sparkle_bench.rubric import rubric_from_data
    from sparkle_bench.signals.request import load_rules
    from sparkle_bench.store import Store

    results = Store(root=root)
    if results.read_run(model) is None:
        raise StoreError(f"no result {model!r} under {root / 'results'}; {suggestion(model, results.models())}")
    samples = {sample.id: sample for sample in results.samples(model)}
    if sample_id not in samples:
        raise StoreError(f"no sample {sample_id!r} in {model}; {suggestion(sample_id, samples)}")
    made = results.edits(model).get(sample_id)
    measurements = results.measurements(model) if made and made.here else {}
    measured = measurements.get((sample_id, made.sha256 or "")) if made else None
    rules = load_rules(samples[sample_id].benchmark, root=root)
    verdicts: dict[str, list[Judgment]] = {}
    rubrics: dict[str, Rubric] = {}
    for key in results.judge_keys(model):
        rubrics[key] = rubric_from_data((results.read_judge(model, key) or {})["rubric"])
        verdicts[key] = [j for j in results.judgments(model, key).values() if j.sample_id == sample_id]
    if as_json:
        data: dict[str, Any] = {
            "sample": to_json(samples[sample_id]),
            "edit": to_json(made) if made else None,
            "measurement": to_json(measured) if measured else None,
            "judgments": {key: [to_json(j) for j in found] for key, found in verdicts.items()},
        }
        click.echo(json.dumps(data, indent=2, ensure_ascii=False))
        return
    sample = samples[sample_id]
    click.echo(f"{sample.id}  {sample.theme} / {sample.subtheme} / {sample.scene}\ninstruction: {sample.instruction}")
    click.echo(_edit_line(made))
    if measured is not None:
        click.echo(_signal_lines(measured))
    for key, found in verdicts.items():
        for judgment in found:
            click.echo(_verdict_lines(key, judgment, rubrics[key], made))
        current = [j for j in found if made and j.edit_sha256 == made.sha256]
        if rules is not None:
            for flag in audit([sample], measurements, current, rules).flags:
                click.echo(f"  flag {flag.name}, repeat {flag.repeat}: {flag.why}")


def _edit_line(edit: Edit | None) -> str:
    if edit is None:
        return "edit: not attempted"
    if edit.unseen:
        return "edit: not here; only verdicts on it were handed in"
    if edit.probe is None:
        return f"edit: failed: {edit.error}"
    p = edit.probe
    line = f"edit: {edit.video}  {p.width}x{p.height}, {p.frames} frames at {p.fps:g} fps, {edit.seconds:.1f} s"
    return line if edit.effort is None else f"{line}\ntook: {_effort_line(edit.effort, p)}"


def _effort_line(effort: Effort, probe: Probe) -> str:
    """Return what an edit took, as far as its editor told."""
    from sparkle_bench.errors import printable

    speed = f" ({probe.frames / effort.seconds:.3g} frames per second)" if effort.seconds else ""
    aligned = {True: "frames aligned with the source's", False: "frames not aligned with the source's"}
    parts = [
        None if effort.seconds is None else f"{effort.seconds:.1f} s of the model's own{speed}",
        None if effort.frames is None else f"given {effort.frames} frames",
        aligned.get(effort.aligned) if effort.aligned is not None else None,
        None if effort.gpu_memory is None else f"{effort.gpu_memory / 1e9:.1f} GB of GPU memory",
        None if effort.host_memory is None else f"{effort.host_memory / 1e9:.1f} GB of memory",
        None if effort.cost is None else f"${effort.cost:.4g}",
        None if effort.job is None else f"job {printable(effort.job, limit=100)}",
    ]
    return ", ".join(part for part in parts if part) or "nothing is known"


def _signal_lines(measured: Measurement) -> str:
    """Return what was measured, a line a group; what is unknown stands last, with the reason."""
    from sparkle_bench.signals import VERSION

    if measured.signals is None:
        return f"signals: none: {measured.error}"
    old = "" if measured.version == VERSION else f" (of version {measured.version}; run `sparkle-bench signals`)"
    lines = [f"signals{old}:"]
    for group, values in measured.signals.items():
        if group != "unknown":
            known = [f"{name} {_value(value)}" for name, value in values.items() if value is not None]
            lines.append(f"  {group:<11} {', '.join(known) or 'unknown'}")
    unknown = dict(measured.signals.get("unknown", {}))
    return "\n".join([*lines, *(f"  unknown: {name}: {why}" for name, why in unknown.items())])


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _verdict_lines(key: str, judgment: Judgment, rubric: Rubric, edit: Edit | None) -> str:
    from sparkle_bench.rubric import cap

    stale = "" if edit and edit.sha256 == judgment.edit_sha256 else " (of an earlier video)"
    lines = [f"judge {key}, repeat {judgment.repeat}{stale}, {judgment.attempts} attempts, {judgment.seconds:.1f} s"]
    if judgment.reply:
        lines += ["  reply:", *(f"    {line}" for line in judgment.reply.splitlines())]
    if judgment.scores is None:
        return "\n".join([*lines, f"  no verdict: {judgment.error}"])
    capped = cap(judgment.scores, rubric)
    for name in rubric.keys:
        raw, mark = judgment.scores[name], capped[name]
        lines.append(f"  {rubric.label(name):<30} {mark}" + (f" (raw {raw}, capped)" if raw != mark else ""))
    return "\n".join(lines)
