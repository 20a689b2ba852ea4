"""The road that all hosts share: a source is taken there, a job submitted, looked after, and its video brought back."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import random
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from sparkle_bench import video
from sparkle_bench.editors.hosted import addresses, keeping, terms
from sparkle_bench.editors.hosted.addresses import Expired
from sparkle_bench.editors.hosted.http import Again, Declined, Host, Missing, Unsure
from sparkle_bench.editors.hosted.jobs import Book, Job
from sparkle_bench.editors.hosted.pace import Pace
from sparkle_bench.editors.hosted.provider import Manners, Order, Provider, State
from sparkle_bench.editors.preset import SOURCE, Preset
from sparkle_bench.errors import EditorError, HostUnavailable, Refused, VideoError
from sparkle_bench.records import Effort, Probe, Sample

FETCHES = 5
NEW_SECONDS = 60.0
"""A host that does not know a job so soon after it was submitted may know it in a moment."""
SUBMISSION_SECONDS = 15.0
"""So long a stopping run waits for the name of a job that is being submitted."""
AGAIN = "--option resubmit=true submits it again"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,199}")


class Desk:
    """Takes samples to one host and brings their edits back; threads may share it."""

    def __init__(self, provider: Provider, preset: Preset, manners: Manners) -> None:
        if not preset.needs.key:
            raise EditorError(f'{preset.name} names no key; its preset says `[needs] key = "NAME"`')
        if preset.output.fps is not None and not manners.retime:
            raise EditorError(
                f"option fps={preset.output.fps:g} would change how fast things move in what {provider.called} makes; pass "
                "--option retime=true too, which brings it to the source's frames first, or leave it out"
            )
        self._provider, self._preset = provider, preset
        self._manners = dataclasses.replace(manners, url=addresses.base(manners.url, provider.homes, provider.called))
        self._limits = terms.limits(preset)
        self._pace = Pace(first=min(1.0, manners.poll))
        self._host: Host | None = None
        self._fresh: set[str] = set()
        self._submissions: set[threading.Thread] = set()
        self._lock, self._finding = threading.Lock(), threading.Lock()

    def describe(self) -> dict[str, Any]:
        """Return what goes on record: no key, and of the address the host alone."""
        retimed = {"retime": True, "fps": self._preset.output.fps or SOURCE} if self._manners.retime else {}
        return {
            "provider": self._provider.called,
            "host": urlsplit(self._manners.url).netloc,
            **self._provider.wire(),
            **retimed,
            "crf": self._preset.output.crf,
        }

    def declared(self, seed: int) -> dict[str, Any]:
        """Return what is declared of the model; what the preset says of an edit's rate and size holds for its own options."""
        preset, wire = self._preset, self._provider.wire()
        usual = all(preset.options.get(name, wire.get(name)) == wire.get(name) for name in ("model", "resolution"))
        known = preset.declared.settings
        if self._manners.retime:
            known = dataclasses.replace(known, fps=preset.output.fps)
        elif not usual:
            known = dataclasses.replace(known, fps=None)
        if not usual:
            known = dataclasses.replace(known, width=None, height=None)
        said = dataclasses.replace(preset.declared, settings=known)
        data = dataclasses.replace(preset, declared=said).declares(seed=seed)
        return {**data, "model": {**data["model"], "version": wire["model"]}}

    def check(self, key: str | None) -> None:
        """Make sure that there is a key.

        Raises:
            HostUnavailable: There is none, or what there is cannot be one.
        """
        self._at(key)

    def edit(self, sample: Sample, out: Path, key: str | None) -> Effort:
        """Have a sample edited.

        Raises:
            EditorError: The host did not make it, or may have been paid for a job whose name is unknown.
            Refused: It will not make it.
            HostUnavailable: There is no getting anywhere with this host.
        """
        try:
            return self._edit(self._at(key), sample, out)
        except HostUnavailable:
            self._pace.close()  # others that wait need not wait to be told the same
            raise

    def close(self) -> None:
        """End all waiting; a submission that is on its way is waited for, since its job's name would be lost."""
        self._pace.close()
        with self._lock:
            under_way = list(self._submissions)
        for thread in under_way:
            thread.join(SUBMISSION_SECONDS)

    # -- one sample ------------------------------------------------------------------------------------------------

    def _edit(self, host: Host, sample: Sample, out: Path) -> Effort:
        source = video.probe(sample.source_path)
        self._limits.check(sample.instruction, source, sample.source_path.stat().st_size)
        book = Book(out.with_name(f".{sample.id}.job.json"))
        job = self._ordered(host, book, sample)
        job, state = self._ended(host, book, job)
        raw = out.with_name(f".{sample.id}.{os.getpid()}.host.part.mp4")
        try:
            made = self._fetched(host, book, job, state, raw)
            pair = keeping.Pair(source=source, made=made)
            aligned = keeping.keep(raw, out, pair, self._preset.output, retime=self._manners.retime)
        finally:
            raw.unlink(missing_ok=True)
        cost = job.cost if job.cost is not None else self._provider.cost(made)
        return Effort(
            seconds=job.seconds,
            frames=source.frames,
            aligned=aligned,
            cost=None if cost is None else round(cost, 6),
            job=job.id,
        )

    def _ordered(self, host: Host, book: Book, sample: Sample) -> Job:
        """Return the job that makes this sample's edit: the one that is known, or a new one."""
        known = book.find(self._request(sample))
        if known is not None and known.status in ("submitted", "done"):
            return known
        if known is not None and known.status == "intended":
            found = self._found(host, book, known, sample)
            if found is not None:
                return found
        if known is not None and not self._manners.resubmit:
            self._check_free(known)
            if known.status == "gone":  # it may be known again, as where base_url was another for a while
                return known
        address = self._provider.upload(host, sample)
        job = book.put(
            Job(
                request=self._request(sample),
                provider=self._provider.called,
                model=str(self._provider.wire().get("model")),
                status="intended",
                intended=time.time(),
                instruction=_hash(sample.instruction),
            )
        )
        order = Order(sample=sample, source=address)
        return self._uninterrupted(lambda: self._submitted(host, book, job, order))

    def _found(self, host: Host, book: Book, job: Job, sample: Sample) -> Job | None:
        """Return an order of unknown fate by its name, if there is one job that can be its and no other's."""
        with self._finding:  # two orders would find one job, each before the other has written it down
            names = set(self._provider.find(host, job, sample))
            if not names:
                return None
            others = [other for other in book.others(job.request, sample.edit_path) if other.provider == job.provider]
            if any(other.status == "intended" and other.instruction == job.instruction for other in others):
                return None
            names -= {other.id for other in others if other.id is not None}
            if len(names) != 1:
                return None
            return book.put(dataclasses.replace(job, status="submitted", id=names.pop(), words=""))

    def _check_free(self, job: Job) -> None:
        """Refuse to pay a second time for what may be under way, or ended without a video."""
        if job.status == "intended":
            raise EditorError(self._unsure(job.words or "the run ended before the host had answered"))
        host, told = self._provider.called, f"{job.words} ({job.named}{_dollars(job.cost)})"
        if job.status == "refused":
            raise Refused(f"{host} refused this edit before: {told}; {AGAIN}")
        if job.status == "failed" and job.cost:
            raise EditorError(f"{host} charged for an edit that failed: {told}; {AGAIN}, and pays again")

    def _submitted(self, host: Host, book: Book, job: Job, order: Order) -> Job:
        called = self._provider.called
        try:
            name = self._provider.submit(host, order)
            if not isinstance(name, str) or not _ID.fullmatch(name) or host.clean(name) != name:
                raise Unsure("it was taken, but the answer does not name the job")
        except Unsure as error:
            book.put(dataclasses.replace(job, words=str(error)))
            raise EditorError(self._unsure(str(error))) from error
        except Declined as error:
            if self._provider.refusal.search(str(error)):
                book.put(dataclasses.replace(job, status="refused", words=str(error)))
                raise Refused(f"{called} refuses this edit: {error}") from error
            book.drop(job)
            raise EditorError(f"{called} turns the request down: {error}") from error
        except Missing as error:
            book.drop(job)
            says = f"{called} knows no model {job.model!r} ({error})"
            raise HostUnavailable(f"{says}; name another: --option model=…") from error
        except EditorError:
            book.drop(job)
            raise
        self._fresh.add(job.request)
        return book.put(dataclasses.replace(job, status="submitted", id=name, submitted=time.time()))

    def _ended(self, host: Host, book: Book, job: Job) -> tuple[Job, State]:
        """Wait for a job's end, and write it down."""
        delay, deadline = self._manners.poll, time.monotonic() + self._manners.timeout
        watched = job.request in self._fresh
        if watched:
            self._pace.wait(delay)
        while (state := self._look(host, job)).phase == "waiting":
            watched = True
            if time.monotonic() > deadline:
                raise EditorError(
                    f"{self._provider.called} has not finished {job.named} within {self._manners.timeout:g} s; it goes on "
                    "there: run the same command again to take it up"
                )
            self._pace.wait(delay * random.uniform(1.0, 1.5))
            delay = min(delay * 1.2, self._manners.poll * 3)
        if job.status != "done":
            seconds = round(time.time() - job.submitted, 3) if watched and job.submitted else None
            job = dataclasses.replace(job, seconds=seconds, cost=state.cost)
        return self._settled(book, job, state), state

    def _settled(self, book: Book, job: Job, state: State) -> Job:
        """Write down how a job ended; one that ended without a video is an error."""
        assert state.phase != "waiting", "it has ended"
        job = book.put(dataclasses.replace(job, status=state.phase, words=state.words))
        host, told = self._provider.called, f"{job.words or 'it does not say why'} ({job.named}{_dollars(job.cost)})"
        if job.status == "refused":
            raise Refused(f"{host} refuses this edit: {told}")
        if job.status == "failed":
            raise EditorError(f"{host} did not make this edit: {told}")
        if job.status == "gone":
            raise EditorError(f"{host} does not know this edit's job any more: {told}; {AGAIN}, and pays again")
        return job

    def _look(self, host: Host, job: Job) -> State:
        assert job.id is not None, "it was submitted"
        try:
            return self._provider.look(host, job.id)
        except Missing as error:
            new = job.submitted is not None and time.time() - job.submitted < NEW_SECONDS
            return State(phase="waiting" if new and job.status != "done" else "gone", words=str(error))
        except Declined as error:
            raise EditorError(f"{self._provider.called} does not tell how {job.named} is: {error}") from error

    def _fetched(self, host: Host, book: Book, job: Job, state: State, raw: Path) -> Probe:
        """Download a job's video, whole; a link that has expired is asked for again."""
        why = ""
        for attempt in range(FETCHES):
            if attempt:
                self._pace.wait(self._pace.again(attempt - 1))
                state = self._look(host, job)
                if state.phase not in ("waiting", "done"):
                    self._settled(book, job, state)
            try:
                host.fetch(state.url, raw)
                return video.probe(raw)
            except (Expired, Again) as error:
                why = str(error)
            except VideoError as error:
                why = str(error).replace(raw.name, "what comes")
                if error.kind not in ("unreadable", "truncated"):
                    raise EditorError(f"{self._provider.called} made a video that cannot be taken: {why}") from error
        raise EditorError(
            f"the video of {job.named} cannot be fetched from {self._provider.called} ({why}); it stays there for a while: "
            "run the same command again"
        )

    # -- means -----------------------------------------------------------------------------------------------------

    def _at(self, key: str | None) -> Host:
        """Return the host, spoken to with this key."""
        name, key = str(self._preset.needs.key), (key or "").strip()
        if not key:
            raise HostUnavailable(f"{self._preset.name} needs a key: set {name} in the environment")
        if not re.fullmatch(r"[\x21-\x7e]+", key):
            raise HostUnavailable(f"{name} holds characters that no key has")
        with self._lock:
            if self._host is None:
                self._host = Host(
                    called=self._provider.called,
                    url=self._manners.url,
                    key=key,
                    key_name=name,
                    headers=self._provider.headers(key),
                    pace=self._pace,
                    tls=httpx.create_ssl_context(),
                )
            return self._host

    def _request(self, sample: Sample) -> str:
        """Return the hash of all that decides what comes out."""
        decisive = [self._provider.called, self._provider.wire(), sample.instruction, sample.sha256]
        return _hash(json.dumps(decisive, sort_keys=True))

    def _unsure(self, why: str) -> str:
        return (
            f"{self._provider.called} may have taken this job and charge for it, but its name is not known ({why}); look at "
            f"your account there; {AGAIN}, at the risk of paying twice"
        )

    def _uninterrupted(self, submit: Callable[[], Job]) -> Job:
        """Submit in a thread of its own, which goes on when Ctrl-C stops the one that waits."""
        box: list[Job | BaseException] = []

        def work() -> None:
            try:
                box.append(submit())
            except BaseException as error:
                box.append(error)

        thread = threading.Thread(target=work, daemon=True, name="submission")
        with self._lock:
            self._submissions.add(thread)
        thread.start()
        try:
            thread.join()
        finally:
            if not thread.is_alive():
                with self._lock:
                    self._submissions.discard(thread)
        if isinstance(box[0], BaseException):
            raise box[0]
        return box[0]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _dollars(cost: float | None) -> str:
    return "" if not cost else f", {cost:.2f} USD"
