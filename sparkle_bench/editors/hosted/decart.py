"""Decart: the Lucy 2 models.

The source and the instruction go along in one request, there is no upload before it. A job that was cut off cannot be asked
for: Decart has no list of jobs, and no key by which it would know a request again.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sparkle_bench.editors.hosted import terms
from sparkle_bench.editors.hosted.desk import Desk
from sparkle_bench.editors.hosted.http import Ask, Host
from sparkle_bench.editors.hosted.jobs import Job
from sparkle_bench.editors.hosted.provider import Manners, Order, State
from sparkle_bench.editors.preset import Preset
from sparkle_bench.errors import EditorError
from sparkle_bench.records import Effort, Probe, Sample

URL = "https://api.decart.ai"


class Decart:
    """A model hosted by Decart."""

    thread_safe = True
    key: str | None = None
    incidental = ("price", "base_url", "timeout", "poll", "at_once", "resubmit")
    called = "Decart"
    homes: tuple[str, ...] = ("api.decart.ai",)
    refusal = re.compile(r"moderat|safety|content.?policy|acceptable.?use|inappropriate|nsfw", re.IGNORECASE)

    def __init__(
        self,
        *,
        preset: Preset,
        model: str = "lucy-2.5",
        seed: int = 0,
        resolution: str = "720p",
        enhance_prompt: bool = False,
        price: float | None = None,
        base_url: str = URL,
        timeout: float = 3600.0,
        poll: float = 3.0,
        at_once: int = 2,
        resubmit: bool = False,
        retime: bool = False,
    ) -> None:
        """Check the options.

        Args:
            preset: What is known of the model.
            model: As Decart calls it; a `-latest` one changes without notice.
            seed: Of the noise.
            resolution: Of the edit.
            enhance_prompt: Whether Decart may rewrite the instruction; then the model is judged by another one.
            price: US dollars of a second of video, where it is not what the preset says.
            base_url: The API's address.
            timeout: Seconds for which a job is waited for.
            poll: Seconds between two looks at a job; Decart asks for two at least.
            at_once: Samples at once.
            resubmit: Whether to submit again what was refused, is lost, or may have been taken.
            retime: Whether to bring an edit to the source's frames by time.
        """
        self._model, self._seed, self._resolution, self._enhance = model, seed, resolution, enhance_prompt
        self.at_once, self.keys = at_once, (preset.needs.key,)
        self._price = terms.per_second(preset, resolution, price)
        manners = Manners(url=base_url, timeout=timeout, poll=poll, resubmit=resubmit, retime=retime)
        self._desk = Desk(self, preset, manners)

    # -- the editor ------------------------------------------------------------------------------------------------

    def load(self) -> None:
        """Refuse to begin without a key."""
        self._desk.check(self.key)

    def edit(self, sample: Sample, out: Path) -> Effort:
        """Have a sample edited; see `Desk.edit`."""
        return self._desk.edit(sample, out, self.key)

    def describe(self) -> dict[str, Any]:
        """Return what goes on record."""
        price = {"usd_per_second": self._price} if self._price is not None else {}
        return {**self._desk.describe(), **price}

    def declared(self) -> dict[str, Any]:
        """Return what is declared of the model."""
        return self._desk.declared(self._seed)

    def close(self) -> None:
        """End all waiting."""
        self._desk.close()

    # -- the API ---------------------------------------------------------------------------------------------------

    def headers(self, key: str) -> dict[str, str]:
        """Return the headers of every request."""
        return {"X-API-KEY": key, "Accept": "application/json"}

    def wire(self) -> dict[str, Any]:
        """Return what goes along with every order."""
        return {
            "model": self._model,
            "seed": self._seed,
            "resolution": self._resolution,
            "enhance_prompt": self._enhance,
        }

    def upload(self, host: Host, sample: Sample) -> str:
        """Do nothing: the source goes along with the order."""
        return ""

    def submit(self, host: Host, order: Order) -> object:
        """Submit a job."""
        fields = {
            "prompt": order.sample.instruction,
            "seed": str(self._seed),
            "resolution": self._resolution,
            "enhance_prompt": str(self._enhance).lower(),
        }
        path, files = f"/v1/jobs/{quote(self._model, safe='')}", {"data": order.sample.source_path}
        return host.order(Ask(method="POST", path=path, fields=fields, files=files)).get("job_id")

    def look(self, host: Host, job: str) -> State:
        """Ask how a job is."""
        found = host.ask(Ask(method="GET", path=f"/v1/jobs/{job}"))
        status = found.get("status")
        if status in ("pending", "processing"):
            return State(phase="waiting")
        if status == "completed":
            return State(phase="done", url=f"{host.url}/v1/jobs/{job}/content")
        if status == "failed":
            # Undocumented: the published description of this answer is empty, and Decart's client reads the status alone.
            told = [
                str(found[name]) for name in ("error_code", "error", "message", "reason", "detail") if found.get(name)
            ]
            words = host.clean("; ".join(told))
            return State(phase="refused" if self.refusal.search(words) else "failed", words=words)
        raise EditorError(f"Decart says of job {job} what nobody here knows: {host.clean(status)}")

    def find(self, host: Host, job: Job, sample: Sample) -> list[str]:
        """Return nothing: Decart has no list of jobs."""
        return []

    def cost(self, made: Probe) -> float | None:
        """Return the price of the seconds that were made."""
        return None if self._price is None else self._price * made.frames / made.fps
