"""Checks of what is out there: the judge's server and the Hugging Face Hub."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sparkle_bench.benchmark import NAME
from sparkle_bench.doctor.check import Asked, Found, lack, note, ok
from sparkle_bench.download import REPO
from sparkle_bench.errors import JudgeUnavailable, SparkleError, listed

if TYPE_CHECKING:
    from sparkle_bench.judges.transport import Transport

HUB_SECONDS = 3.0
LONGEST_PAUSE = 0.2
"""Seconds between tries at a busy server: who asks for a check wants its answer now."""
UNASKED = "not asked, because of --offline"


def judge(asked: Asked) -> Found:
    """Look at the judge's server as a run does before its first question."""
    if asked.judge_wrong:
        return lack(asked.judge_wrong, "correct it; an address looks like http://127.0.0.1:8000/v1")
    if asked.judge_url is None:
        return note(
            "none named", "name one with --judge-url URL or SPARKLE_JUDGE_URL, such as http://127.0.0.1:8000/v1"
        )
    if asked.offline:
        return note(UNASKED)
    from sparkle_bench.judges import probe
    from sparkle_bench.judges.transport import Transport
    from sparkle_bench.prompts import load_prompt

    transport = Transport(
        url=asked.judge_url,
        api_key=asked.api_key,
        timeout=0.8 * asked.patience,
        sleep=lambda seconds: time.sleep(min(seconds, LONGEST_PAUSE)),
    )
    try:
        served = _served(transport)
        ready = probe.connect(transport, load_prompt(NAME, root=asked.root), probe.Options(model=asked.judge_model))
    except SparkleError as error:
        what, _, cure = str(error).rpartition("; ")
        return lack(what or cure, cure if what else "correct that, or name another server with --judge-url")
    finally:
        transport.close()
    version = f", {ready.server.version}" if ready.server.version else ""
    asks = f"asking {ready.server.model}{version}: passes the start-up probe"
    return ok("; ".join([f"{transport.shown} serves {served}", asks, *(n.rstrip(".") for n in ready.notes)]))


def judge_without_pictures(asked: Asked) -> Found:
    """Say that the judge's server was not looked at, because no picture can be made to show it."""
    named = asked.judge_url is not None
    return lack("not asked, since no pictures can be made to show it", "cure that first") if named else judge(asked)


def _served(transport: Transport) -> str:
    from sparkle_bench.judges.transport import json_of

    try:
        return listed([str(card["id"]) for card in json_of(transport.get("/models"))["data"]], first=8)
    except (ValueError, KeyError, TypeError):
        return "nothing"


def hub(asked: Asked) -> Found:
    """Ask the Hub for the benchmark's data set."""
    without = "`sparkle-bench download` will not work, everything else does"
    if asked.hub_off:
        return note(f"HF_HUB_OFFLINE is set: {without}")
    if asked.offline:
        return note(UNASKED)
    from sparkle_bench.judges.transport import Transport

    transport = Transport(url=asked.hub, timeout=HUB_SECONDS, sleep=lambda _: None)
    cure = "mend the network or its proxy, or copy the benchmark's folder from another machine"
    try:
        status = transport.get(f"/api/datasets/{REPO}").status_code
    except JudgeUnavailable as error:
        why = transport.redact(error.__cause__ or "busy")
        return note(f"{transport.shown} does not answer ({why}): {without}", cure)
    finally:
        transport.close()
    if status != 200:
        return note(
            f"{transport.shown} answers {status} for {REPO}: {without}", f"look at {transport.shown}/datasets/{REPO}"
        )
    return ok(f"{transport.shown} answers and has {REPO}")
