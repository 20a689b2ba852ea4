"""What the page says of each sample of one result, as the script that the page loads when it is asked for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sparkle_bench.benchmark import is_inside
from sparkle_bench.discretion import cleaned

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sparkle_bench.audit import Audit
    from sparkle_bench.records import Edit, Judgment
    from sparkle_bench.scoring import Evidence


def details(model: str, evidence: Evidence, audit: Audit | None) -> bytes:
    """Return `page/details/<model>.js`: of every sample its edit, its verdicts and its flags; what is not known is left out.

    The same evidence always gives the same bytes.

    Args:
        model: The result's name.
        evidence: All that is known of it under one judge.
        audit: Where judge and signals contradict each other; None if nothing was measured.
    """
    flags: dict[str, list[dict[str, Any]]] = {}
    for flag in audit.flags if audit else ():
        flags.setdefault(flag.sample_id, []).append({"repeat": flag.repeat, "name": flag.name, "why": flag.why})
    samples = {sample.id: _sample(evidence, sample.id, flags.get(sample.id)) for sample in evidence.samples}
    return call("details", model, {"samples": samples})


def call(function: str, *values: object) -> bytes:
    """Return a script that hands data to one of the page's functions.

    All but ASCII is escaped, so that neither a line separator nor half a surrogate pair can stand in it, and so is `<`, so
    that no text can end or begin an element wherever the script is put.
    """
    said = ",".join(json.dumps(value, separators=(",", ":")) for value in values)
    return f"sparkle.{function}({said});\n".replace("<", "\\u003c").encode("ascii")


def _sample(evidence: Evidence, sample_id: str, flags: list[dict[str, Any]] | None) -> dict[str, Any]:
    edit = evidence.edits.get(sample_id)
    if edit is None:
        return {"edit": None, "verdicts": [None] * evidence.repeats}
    keys = [(sample_id, edit.sha256 or "", repeat) for repeat in range(evidence.repeats)]
    found: dict[str, Any] = {
        "edit": _edit(edit),
        "verdicts": [_verdict(evidence.judgments.get(key)) for key in keys],
    }
    if flags:
        found["flags"] = flags
    return found


def _edit(edit: Edit) -> dict[str, Any]:
    probe, effort = edit.probe, edit.effort
    said = {
        "video": edit.video if edit.video and is_inside(edit.video) else None,  # a stranger's record may name any path
        "frames": probe and probe.frames,
        "fps": probe and probe.fps,
        "width": probe and probe.width,
        "height": probe and probe.height,
        "aligned": effort and effort.aligned,
        "seconds": effort and effort.seconds,
        "cost": effort and effort.cost,
        "error": _shown(edit.error),
        "error_type": edit.error_type,
        "unseen": edit.unseen or None,
    }
    return _known(said)


def _verdict(judgment: Judgment | None) -> dict[str, Any] | None:
    if judgment is None:
        return None
    said = {
        "reply": judgment.reply,
        "error": _shown(judgment.error),
        "error_type": judgment.error_type,
        "attempts": judgment.attempts if judgment.attempts != 1 else None,
        "failures": [_shown(failure) for failure in judgment.failures] or None,
        "soft": judgment.soft,
        "reused": judgment.reused,
    }
    return _known(said)


def _shown(error: str | None) -> str | None:
    """Return an error without folders and secrets: ours has none, but records may come from strangers."""
    return None if error is None else cleaned(error)


def _known(said: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if value is not None}
