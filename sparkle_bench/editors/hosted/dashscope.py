"""DashScope (Alibaba Cloud Model Studio): Wan 2.7 for editing.

The model takes a source by its address. Without a public one (`source_url`) it is uploaded to DashScope's own storage, where
it stays for two days; that storage is documented for Beijing alone. Tasks are known for a day, and so are their videos.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from sparkle_bench.editors.hosted import terms
from sparkle_bench.editors.hosted.desk import Desk
from sparkle_bench.editors.hosted.http import Ask, Declined, Host, Missing
from sparkle_bench.editors.hosted.jobs import Job
from sparkle_bench.editors.hosted.provider import Manners, Order, State, amount, of
from sparkle_bench.editors.preset import Preset
from sparkle_bench.errors import EditorError, HostUnavailable
from sparkle_bench.records import Effort, Probe, Sample

URL = "https://dashscope-intl.aliyuncs.com"
BEIJING = "https://dashscope.aliyuncs.com"
_SUBMIT = "/api/v1/services/aigc/video-generation/video-synthesis"
_CHINA = timezone(timedelta(hours=8))
"""The list of tasks is asked for in China's time, and tasks tell theirs in it."""
EARLY_SECONDS = 5
"""So much may the host's clock be behind this one."""


class DashScope:
    """A model hosted by Alibaba Cloud."""

    thread_safe = True
    key: str | None = None
    incidental = ("source_url", "price", "base_url", "timeout", "poll", "at_once", "resubmit")
    called = "DashScope"
    homes: tuple[str, ...] = (
        "dashscope.aliyuncs.com",
        "dashscope-intl.aliyuncs.com",
        "dashscope-us.aliyuncs.com",
        ".maas.aliyuncs.com",
    )
    refusal = re.compile(r"DataInspection|IPInfringement|inappropriate", re.IGNORECASE)

    def __init__(
        self,
        *,
        preset: Preset,
        model: str = "wan2.7-videoedit",
        seed: int = 0,
        resolution: str = "720P",
        prompt_extend: bool = False,
        source_url: str | None = None,
        price: float | None = None,
        base_url: str = URL,
        timeout: float = 3600.0,
        poll: float = 10.0,
        at_once: int = 2,
        resubmit: bool = False,
        retime: bool = False,
    ) -> None:
        """Check the options.

        Args:
            preset: What is known of the model.
            model: As DashScope calls it.
            seed: Of the noise.
            resolution: Of the edit, `720P` or `1080P`.
            prompt_extend: Whether DashScope may rewrite the instruction; then the model is judged by another one.
            source_url: Where the benchmark's sources are public, as `https://…/{source}`; without it they are uploaded.
            price: US dollars of a second, where it is not what the preset says.
            base_url: The API's address, of the region that the key belongs to.
            timeout: Seconds for which a job is waited for.
            poll: Seconds between two looks at a job.
            at_once: Samples at once.
            resubmit: Whether to submit again what was refused, is lost, or may have been taken.
            retime: Whether to bring an edit to the source's frames by time.
        """
        if source_url is not None and not (source_url.startswith(("https://", "http://")) and "{source}" in source_url):
            raise EditorError("option source_url is an address with {source} in it, such as https://HOST/DIR/{source}")
        self._model, self._seed, self._resolution, self._extend = model, seed, resolution, prompt_extend
        self._source_url = source_url
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
        return {"Authorization": f"Bearer {key}", "Accept": "application/json"}

    def wire(self) -> dict[str, Any]:
        """Return what goes along with every order."""
        return {
            "model": self._model,
            "seed": self._seed,
            "resolution": self._resolution,
            "prompt_extend": self._extend,
            "watermark": False,
        }

    def upload(self, host: Host, sample: Sample) -> str:
        """Return the source's public address, or upload it to DashScope's storage."""
        if self._source_url is not None:
            return self._source_url.replace("{source}", quote(sample.source))
        asked = urlencode({"action": "getPolicy", "model": self._model})
        try:
            policy = of(host.ask(Ask(method="GET", path=f"/api/v1/uploads?{asked}")), "data")
        except (Declined, Missing) as error:
            raise HostUnavailable(
                f"DashScope takes no uploads at {urlsplit(host.url).hostname} ({error}); put the sources where they are "
                f"public and pass --option source_url=https://…/{{source}}, or use a key of Beijing with base_url={BEIJING}"
            ) from error
        texts = {name: str(value) for name, value in policy.items() if isinstance(value, str | int)}
        if not {"upload_host", "upload_dir", "oss_access_key_id", "signature", "policy"} <= texts.keys():
            raise EditorError("DashScope does not say where to upload the source; nothing was submitted")
        name = f"{sample.id}{sample.source_path.suffix.lower()}"
        key = f"{texts['upload_dir']}/{name}"
        fields = {
            "OSSAccessKeyId": texts["oss_access_key_id"],
            "Signature": texts["signature"],
            "policy": texts["policy"],
            "x-oss-object-acl": texts.get("x_oss_object_acl", "private"),
            "x-oss-forbid-overwrite": texts.get("x_oss_forbid_overwrite", "true"),
            "key": key,
            "success_action_status": "200",
        }
        host.give(texts["upload_host"], fields, sample.source_path, name=name)
        return f"oss://{key}"

    def submit(self, host: Host, order: Order) -> object:
        """Submit a task."""
        parameters = {name: value for name, value in self.wire().items() if name != "model"}
        media = [{"type": "video", "url": order.source}]
        body = {
            "model": self._model,
            "input": {"prompt": order.sample.instruction, "media": media},
            "parameters": parameters,
        }
        headers = {"X-DashScope-Async": "enable"}
        if order.source.startswith("oss://"):
            headers["X-DashScope-OssResourceResolve"] = "enable"
        return of(host.order(Ask(method="POST", path=_SUBMIT, body=body, headers=headers)), "output").get("task_id")

    def look(self, host: Host, job: str) -> State:
        """Ask how a task is."""
        answer = host.ask(Ask(method="GET", path=f"/api/v1/tasks/{job}"))
        task, usage = of(answer, "output"), of(answer, "usage")
        status = task.get("task_status")
        if status in ("PENDING", "RUNNING", "SUSPENDED"):
            return State(phase="waiting")
        if status == "SUCCEEDED":
            return State(phase="done", url=str(task.get("video_url", "")), cost=self._dollars(usage))
        words = host.clean("; ".join(str(task[name]) for name in ("code", "message") if task.get(name)))
        if status == "UNKNOWN":
            return State(phase="gone", words=words or "tasks are known for a day")
        if status in ("FAILED", "CANCELED", "CANCELLED"):
            refused = self.refusal.search(words) is not None
            return State(phase="refused" if refused else "failed", words=words or str(status).lower())
        raise EditorError(f"DashScope says of task {job} what nobody here knows: {host.clean(status)}")

    def find(self, host: Host, job: Job, sample: Sample) -> list[str]:
        """Return the tasks of these minutes that have this sample's instruction."""
        window = [datetime.fromtimestamp(job.intended + after, _CHINA) for after in (-EARLY_SECONDS, 600)]
        asked = urlencode(
            {
                "start_time": f"{window[0]:%Y%m%d%H%M%S}",
                "end_time": f"{window[1]:%Y%m%d%H%M%S}",
                "model_name": self._model,
                "page_no": 1,
                "page_size": 100,
            }
        )
        try:
            listed = host.ask(Ask(method="GET", path=f"/api/v1/tasks/?{asked}")).get("data")
            names = (
                [item.get("task_id") for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
            )
            told = {
                name: of(host.ask(Ask(method="GET", path=f"/api/v1/tasks/{name}")), "output")
                for name in names
                if isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9-]{1,100}", name)
            }
        except (Declined, Missing):
            return []
        earliest = job.intended - EARLY_SECONDS
        return [
            name
            for name, task in told.items()
            if task.get("orig_prompt") == sample.instruction and not _is_before(task.get("submit_time"), earliest)
        ]

    def cost(self, made: Probe) -> float | None:
        """Return None: what is charged for is told with the finished task."""
        return None

    def _dollars(self, usage: dict[str, Any]) -> float | None:
        seconds = amount(usage.get("duration"))
        return None if seconds is None or self._price is None else seconds * self._price


def _is_before(told: object, moment: float) -> bool:
    """Whether a task says that it was submitted before a moment (in seconds since 1970); one that does not say was not."""
    try:
        at = datetime.strptime(str(told)[:19], "%Y-%m-%d %H:%M:%S").replace(tzinfo=_CHINA)
    except ValueError:
        return False
    return at.timestamp() < moment
