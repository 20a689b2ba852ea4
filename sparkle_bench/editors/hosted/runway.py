"""Runway: Aleph and the other models behind `video_to_video`.

The API is spoken to without Runway's own client. That client (`runwayml` 5.24) sends a submission again after a time-out or
a 5xx, with no key that would tell the host that it is the same one, and so may pay twice; it also never sees that a job was
cancelled.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sparkle_bench.editors.hosted import terms
from sparkle_bench.editors.hosted.desk import Desk
from sparkle_bench.editors.hosted.http import Ask, Host
from sparkle_bench.editors.hosted.jobs import Job
from sparkle_bench.editors.hosted.provider import Manners, Order, State, amount, of
from sparkle_bench.editors.preset import Preset
from sparkle_bench.errors import EditorError
from sparkle_bench.records import Effort, Probe, Sample

URL = "https://api.dev.runwayml.com"
VERSION = "2024-11-06"
"""The API's, sent with every request."""
_UNDER_WAY = ("PENDING", "THROTTLED", "RUNNING")


class Runway:
    """A model hosted by Runway."""

    thread_safe = True
    key: str | None = None
    incidental = ("base_url", "timeout", "poll", "at_once", "resubmit")
    called = "Runway"
    homes: tuple[str, ...] = (".runwayml.com",)
    refusal = re.compile(r"\bSAFETY\b|moderat", re.IGNORECASE)

    def __init__(
        self,
        *,
        preset: Preset,
        model: str = "aleph2",
        seed: int = 0,
        public_figures: str | None = None,
        base_url: str = URL,
        timeout: float = 3600.0,
        poll: float = 6.0,
        at_once: int = 4,
        resubmit: bool = False,
        retime: bool = False,
    ) -> None:
        """Check the options.

        Args:
            preset: What is known of the model.
            model: As Runway calls it.
            seed: Of the noise.
            public_figures: How strictly edits that show well-known people are refused: `auto` or `low`.
            base_url: The API's address.
            timeout: Seconds for which a job is waited for.
            poll: Seconds between two looks at a job; Runway asks for five at least.
            at_once: Samples at once; beyond what an account may run, Runway lets jobs wait.
            resubmit: Whether to submit again what was refused, is lost, or may have been taken.
            retime: Whether to bring an edit to the source's frames by time.
        """
        if public_figures not in (None, "auto", "low"):
            raise EditorError(f"option public_figures={public_figures!r} is neither auto nor low")
        self._model, self._seed, self._figures = model, seed, public_figures
        self.at_once, self.keys = at_once, (preset.needs.key,)
        self._price = terms.price(preset)
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
        price = {"usd_per_credit": self._price.credit} if self._price.credit is not None else {}
        return {**self._desk.describe(), "version": VERSION, **price}

    def declared(self) -> dict[str, Any]:
        """Return what is declared of the model."""
        return self._desk.declared(self._seed)

    def close(self) -> None:
        """End all waiting."""
        self._desk.close()

    # -- the API ---------------------------------------------------------------------------------------------------

    def headers(self, key: str) -> dict[str, str]:
        """Return the headers of every request."""
        return {"Authorization": f"Bearer {key}", "X-Runway-Version": VERSION, "Accept": "application/json"}

    def wire(self) -> dict[str, Any]:
        """Return what goes along with every order."""
        figures = {"contentModeration": {"publicFigureThreshold": self._figures}} if self._figures else {}
        return {"model": self._model, "seed": self._seed, **figures}

    def upload(self, host: Host, sample: Sample) -> str:
        """Upload a source; Runway keeps it for a day."""
        name = f"{sample.id}{sample.source_path.suffix.lower()}"
        place = host.ask(Ask(method="POST", path="/v1/uploads", body={"filename": name, "type": "ephemeral"}))
        url, uri, fields = place.get("uploadUrl"), place.get("runwayUri"), of(place, "fields")
        if not (isinstance(url, str) and isinstance(uri, str) and uri):
            raise EditorError("Runway does not say where to upload the source; nothing was submitted")
        host.give(url, {name: str(value) for name, value in fields.items()}, sample.source_path, name=name)
        return uri

    def submit(self, host: Host, order: Order) -> object:
        """Submit a job."""
        body = {**self.wire(), "videoUri": order.source, "promptText": order.sample.instruction}
        return host.order(Ask(method="POST", path="/v1/video_to_video", body=body)).get("id")

    def look(self, host: Host, job: str) -> State:
        """Ask how a job is; of a finished one the links are fresh each time."""
        task = host.ask(Ask(method="GET", path=f"/v1/tasks/{job}"))
        status, cost = task.get("status"), self._dollars(task)
        if status in _UNDER_WAY:
            return State(phase="waiting")
        if status == "SUCCEEDED":
            output = task.get("output")
            url = output[0] if isinstance(output, list) and output else ""
            return State(phase="done", url=str(url), cost=cost)
        words = host.clean("; ".join(str(task[name]) for name in ("failureCode", "failure") if task.get(name)))
        if status == "FAILED":
            refused = "SAFETY" in str(task.get("failureCode", "")).split(".")
            return State(phase="refused" if refused else "failed", words=words, cost=cost)
        if status == "CANCELLED":
            return State(phase="failed", words=words or "it was cancelled", cost=cost)
        raise EditorError(f"Runway says of job {job} what nobody here knows: {host.clean(status)}")

    def find(self, host: Host, job: Job, sample: Sample) -> list[str]:
        """Return nothing: Runway has no list of jobs."""
        return []

    def cost(self, made: Probe) -> float | None:
        """Return None: Runway tells each job's credits."""
        return None

    def _dollars(self, task: dict[str, Any]) -> float | None:
        credits = amount(of(task, "cost").get("credits"))
        return None if credits is None or self._price.credit is None else credits * self._price.credit
