"""What judging would take: requests, tokens, cost. Asks nobody and starts nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparkle_bench.cli import judge as judges
from sparkle_bench.cli import road

if TYPE_CHECKING:
    from sparkle_bench.cli.judge import Choice
    from sparkle_bench.cli.road import Task
    from sparkle_bench.judges.probe import Options
    from sparkle_bench.records import Sample

CHARACTERS = 4
"""Characters of English text in a token, about."""
REPLY_TOKENS = 80
"""Thirty words of reasoning and a line per dimension."""
LABEL_TOKENS = 8
"""The time label before every two frames."""
FACTOR = 32


def estimated(task: Task, choice: Choice) -> tuple[list[str], dict[str, Any]]:
    """Return lines and data on what judging would take.

    Every chosen sample counts that has a video or is to get one, except those that a judge asked for in the same words
    has judged already; videos that were replaced since, and verdicts that other results hold on the same files, are not
    looked for. Tokens are those of the first sample's clip for all.
    """
    left = [sample for sample in task.work.samples if _has_video(task, sample)]
    judged, repeats = _judged(task, choice, left)
    requests = len(left) * repeats - judged
    prompt = _question_tokens(task, choice, left[0]) if left else 0
    tokens = None if prompt is None else (prompt * requests, REPLY_TOKENS * requests)
    cost = None if choice.price is None or tokens is None else choice.price.of(*tokens)
    data = {
        "samples": len(left),
        "repeats": repeats,
        "judged_already": judged,
        "requests": requests,
        "prompt_tokens": tokens[0] if tokens else None,
        "completion_tokens": tokens[1] if tokens else None,
        "cost_usd": None if cost is None else round(cost, 4),
    }
    lines = [
        "estimate; nothing was sent",
        f"  requests  {requests}: {repeats} for each of {len(left)} samples, {judged} verdicts are known to be there",
        f"  tokens    {_tokens(tokens)}",
        f"  cost      {_cost(choice, cost)}",
    ]
    return lines, data


def _tokens(tokens: tuple[int, int] | None) -> str:
    if tokens is None:
        return "unknown: the server samples whole files"
    return f"about {tokens[0]:,} in, {tokens[1]:,} out"


def _cost(choice: Choice, cost: float | None) -> str:
    if choice.price is None:
        return "no price is known for this judge; pass --price IN,OUT if it takes money"
    per = f"{choice.price.prompt:g} and {choice.price.completion:g} USD per million tokens"
    return f"about {cost:.2f} USD at {per}, thinking not included" if cost is not None else f"unknown, at {per}"


def _has_video(task: Task, sample: Sample) -> bool:
    """Whether the sample has a video, or is to get one."""
    find = getattr(task.made.editor, "find", None)
    return find is None or find(sample) is not None


def _judged(task: Task, choice: Choice, left: list[Sample]) -> tuple[int, int]:
    """Count the verdicts of a judge that was asked for in the same words, and the repeats that will be asked for.

    Which model a server has is not known before it is asked, so nothing counts where the words do not name it.
    """
    store, model, repeats = task.work.store, task.work.model, int(choice.given["repeats"])
    wished = judges.wishes(choice, judges.prompt(choice, task.benchmark.name))
    if choice.kind == "replay" or wished.get("model", "") is None or store.read_run(model) is None:
        return 0, repeats
    edits, ids = store.edits(model), {sample.id for sample in left}
    found = [(0, repeats)]
    for key in store.judge_keys(model):
        judge = store.read_judge(model, key) or {}
        if judge.get("wishes") == road.as_stored(wished):
            most = max(
                repeats, int(judge.get("repeats", 1))
            )  # once more were asked for, fewer would leave it incomplete
            current = [
                name
                for name, judgment in store.judgments(model, key).items()
                if judgment.ok and name[0] in ids and name[2] < most
                if name[0] in edits and edits[name[0]].sha256 == name[1]
            ]
            found.append((len(current), most))
    return max(found)


def _question_tokens(task: Task, choice: Choice, sample: Sample) -> int | None:
    """Return about how many tokens a question takes, or None where that cannot be told."""
    if choice.kind in ("signals", "replay"):
        return 0
    prompt = judges.prompt(choice, task.benchmark.name)
    words = len(prompt.render(sample.instruction)) // CHARACTERS
    clip = _clip_tokens(choice, judges.options(choice), sample)
    return None if clip is None else words + 2 * clip


def _clip_tokens(choice: Choice, wished: Options, sample: Sample) -> int | None:
    from sparkle_bench.video import probe, smart_resize

    facts = probe(sample.source_path)
    if wished.media == "mp4":
        rate = choice.preset.tokens_per_second if choice.preset else None
        return None if rate is None else round(rate * facts.frames / facts.fps)
    factor = (choice.preset.factor if choice.preset else None) or FACTOR
    height, width = smart_resize(facts.height, facts.width, factor=factor, max_pixels=wished.max_pixels)
    pairs = min(wished.frames, facts.frames) // 2
    return pairs * ((height // factor) * (width // factor) + LABEL_TOKENS)
