"""The options of every command that has edits judged: who judges, what it is shown and asked, how fast, for how much."""

from __future__ import annotations

import math
from pathlib import Path

import click

from sparkle_bench.cli import options as opt
from sparkle_bench.cli.serve import serving_options


def _price(_: click.Context, __: click.Parameter, text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        prompt, completion = (float(part) for part in text.split(","))
    except ValueError:
        prompt = completion = -1.0
    if not (0 <= prompt < 1e6 and 0 <= completion < 1e6):
        raise click.BadParameter(f"{text!r} is not IN,OUT in USD per million tokens, such as 1.25,10")
    return prompt, completion


def _finite(_: click.Context, __: click.Parameter, number: float | None) -> float | None:
    if number is not None and not math.isfinite(number):
        raise click.BadParameter(f"{number} is no amount of money")
    return number


def _even(_: click.Context, __: click.Parameter, number: int | None) -> int | None:
    if number is not None and number % 2:
        raise click.BadParameter(f"{number} is odd; the Qwen-VL models merge frames in twos")
    return number


judge_urls = click.option(
    "--judge-url",
    "judge_urls",
    multiple=True,
    envvar="SPARKLE_JUDGE_URL",
    metavar="URL",
    help="The judge's address, such as http://127.0.0.1:8000/v1. May be repeated: the least loaded server is asked next.",
)

showing = opt.together(
    click.option(
        "--media",
        type=click.Choice(["frames", "mp4"]),
        help="Send frames of the same instants, or whole files.  [default: the judge's; frames]",
    ),
    click.option(
        "--frames",
        type=click.IntRange(min=2),
        callback=_even,
        help="Frames per clip, an even number.  [default: the judge's; 16]",
    ),
    click.option(
        "--max-pixels",
        type=click.IntRange(min=1024),
        help="At most so many pixels a frame.  [default: the judge's; 230400, that is 640x360]",
    ),
    click.option(
        "--part",
        type=click.Choice(["video_url", "image_url"]),
        help="What a clip is called in the message: video_url for vLLM, image_url for hosted judges that take pictures "
        "(frames) or files (mp4).  [default: the judge's; video_url]",
    ),
    click.option("--server-clock", is_flag=True, help="Accept the server's own time labels for frames."),
)

replying = opt.together(
    click.option(
        "--repeats", type=click.IntRange(min=1, max=100), default=1, show_default=True, help="Verdicts per edit."
    ),
    click.option(
        "--constrain/--no-constrain",
        default=None,
        help="Force the reply's form.  [default: where the server offers it]",
    ),
    click.option(
        "--soft",
        is_flag=True,
        help="Also store the expected mark, from the probabilities of the mark's token; another judge key.",
    ),
    click.option(
        "--thinking/--no-thinking",
        default=None,
        help="Let a model that can think first do so, or not.  [default: as the server has it]",
    ),
    click.option(
        "--max-tokens",
        type=click.IntRange(min=16),
        help="Longest reply.  [default: 512, with --thinking 8192; a provider's own limit]",
    ),
    click.option("--strict-parse", is_flag=True, help="Read replies as the authors' script does."),
    click.option(
        "--prompt",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Another prompt template: jinja2, text with {edit_prompt}, or the authors' script itself, from which the "
        "prompt is read.",
    ),
    click.option(
        "--protocol",
        type=click.Choice(["sparkle-bench", "authors"]),
        default="sparkle-bench",
        show_default=True,
        help="Ask as the authors' script does: whole files, temperature 0, seed 42, 60 s, up to 20 tries, strict reading.",
    ),
)

spending = opt.together(
    click.option(
        "--timeout",
        type=click.FloatRange(min=0.1),
        help="Seconds to wait for a reply.  [default: 300]",
    ),
    click.option("--max-rpm", type=click.IntRange(min=1), help="At most so many requests a minute."),
    click.option("--max-tpm", type=click.IntRange(min=1), help="At most so many tokens a minute."),
    click.option(
        "--price",
        callback=_price,
        metavar="IN,OUT",
        help="USD per million tokens of prompts and replies.  [default: the judge's]",
    ),
    click.option(
        "--budget",
        type=click.FloatRange(min=0.0, min_open=True),
        callback=_finite,
        metavar="USD",
        help="Stop before this command has spent more.",
    ),
)

asking = opt.together(judge_urls, opt.judge_model, showing, replying, spending)
"""For commands that ask a served judge."""

choosing = opt.together(
    click.option(
        "--judge",
        "judge_name",
        metavar="NAME",
        help="A judge that `sparkle-bench judges` lists, openai (any server), signals (embedded rules over measured "
        "signals: no VLM, cannot read content) or replay:FILE (stored replies, read again).  [default: qwen3-vl-32b, or "
        "whatever --judge-url serves]",
    ),
    asking,
    click.option(
        "--judge-engine",
        type=click.Choice(["server", "offline"]),
        default="server",
        show_default=True,
        help="Ask a server, or run vLLM inside this process.",
    ),
    click.option("--serve", is_flag=True, help="Start vLLM for the judging and stop it afterwards."),
    serving_options,
)
"""For commands that need a judge, however it is reached."""

judging = opt.together(
    choosing,
    click.option("--estimate", is_flag=True, help="Print requests, tokens and cost, send nothing."),
    click.option(
        "--signals/--no-signals",
        "with_signals",
        default=True,
        show_default=True,
        help="Measure the edits' pixels and compare the judge's marks with them.",
    ),
)
"""For `eval` and `judge`."""
