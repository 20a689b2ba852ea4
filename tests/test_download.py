"""Downloading the benchmark from a real local HTTP server that speaks as the Hugging Face Hub does."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from sparkle_bench import benchmark
from sparkle_bench.download import PIN, REPO, Address, download, parse_address, submission
from sparkle_bench.errors import BenchmarkError, MachineError, SubmissionError
from tests import makers

FIRST, SECOND = "1" * 40, "2" * 40
ROOT = Path(__file__).parent.parent


@dataclass(kw_only=True)
class FakeHub:
    """What the server holds and how it misbehaves.

    Attributes:
        commits: The data set's files at each commit.
        names: Branches and tags.
        cuts: For a file: how many bytes are sent before the connection breaks, once per entry.
        refusals: For a file: the status with which its download is refused, while it stands here.
        dies_after: If set, the server drops every connection once so many files were asked for.
        claims: Files, by path, that the list names besides, and their sizes.
        down: The status of every answer, or None.
        asked: Method and path of every request, and where a partial one starts.
        address: The server's URL.
    """

    commits: dict[str, Path]
    names: dict[str, str] = field(default_factory=lambda: {"main": FIRST})
    cuts: dict[str, list[int]] = field(default_factory=dict)
    refusals: dict[str, int] = field(default_factory=dict)
    dies_after: int | None = None
    claims: dict[str, int] = field(default_factory=dict)
    down: int | None = None
    asked: list[tuple[str, str, int]] = field(default_factory=list)
    address: str = ""

    def fetched(self) -> list[str]:
        """Return the files that were asked for, one entry per request."""
        found = (re.search(r"/resolve/[^/]+/(.+)", path) for method, path, _ in self.asked if method == "GET")
        return [match[1] for match in found if match]


class Handler(BaseHTTPRequestHandler):
    """Answers for a `FakeHub`."""

    protocol_version = "HTTP/1.1"
    hub: FakeHub

    def do_GET(self) -> None:
        path = unquote(self.path.partition("?")[0])
        start = int((re.match(r"bytes=(\d+)-", self.headers.get("Range", "")) or ["", "0"])[1])
        self.hub.asked.append((self.command, path, start))
        if self.hub.dies_after is not None and len(self.hub.fetched()) > self.hub.dies_after:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if self.hub.down is not None:
            self.answer(self.hub.down, b"the server is unwell")
        elif path.startswith(f"/api/datasets/{REPO}"):
            self.describe(path)
        elif match := re.fullmatch(rf"/datasets/{REPO}/resolve/([^/]+)/(.+)", path):
            self.send_file(match[1], match[2], start)
        else:
            self.answer(404, b"", {"X-Error-Code": "RepoNotFound"})

    do_HEAD = do_GET  # noqa: N815

    def describe(self, path: str) -> None:
        """Answer for the data set as a whole: its commit, or its list of files."""
        _, _, rest = path.partition(REPO)
        kind, _, revision = rest.strip("/").partition("/")
        commit = self.hub.names.get(revision or "main", revision)
        folder = self.hub.commits.get(commit)
        if folder is None:
            self.answer(404, b'{"error": "Invalid rev id"}', {"X-Error-Code": "RevisionNotFound"})
        elif kind == "tree":
            files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
            listing = [
                {"type": "file", "path": f.relative_to(folder).as_posix(), "size": f.stat().st_size, "oid": "0" * 40}
                for f in files
            ]
            said = self.hub.claims.items()
            listing += [{"type": "file", "path": name, "size": size, "oid": "0" * 40} for name, size in said]
            self.answer(200, json.dumps(listing).encode())
        else:
            facts: dict[str, Any] = {"id": REPO, "sha": commit, "private": False, "tags": [], "siblings": []}
            self.answer(200, json.dumps(facts).encode())

    def send_file(self, revision: str, name: str, start: int) -> None:
        """Answer for one file, from byte `start`."""
        commit = self.hub.names.get(revision, revision)
        path = self.hub.commits[commit] / name
        if name in self.hub.refusals and self.command == "GET":
            self.answer(self.hub.refusals[name], b"no")
            return
        content = path.read_bytes()
        etag = (hashlib.sha256 if path.suffix == ".mp4" else hashlib.sha1)(content).hexdigest()
        headers = {"ETag": f'"{etag}"', "X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        cuts = self.hub.cuts.get(name, []) if self.command == "GET" else []
        self.answer(206 if start else 200, content[start:], headers, cut=cuts.pop(0) if cuts else None)

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None, cut: int | None = None) -> None:
        """Send an answer, or its first `cut` bytes."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[:cut])
        if cut is not None:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def serving(hub: FakeHub) -> Iterator[FakeHub]:
    """Serve a hub on 127.0.0.1."""
    handler = type("BoundHandler", (Handler,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        hub.address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield hub
        server.shutdown()


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two commits of a small benchmark; the second has another instruction. Tests only read them."""
    folder = tmp_path_factory.mktemp("published")
    makers.write_benchmark(folder / FIRST)
    (folder / FIRST / "README.md").write_text("Not part of the benchmark.", encoding="utf-8")
    shutil.copytree(folder / FIRST, folder / SECOND)
    table = folder / SECOND / "time_bench.csv"
    table.write_text(table.read_text(encoding="utf-8").replace("number 2", "number two"), encoding="utf-8")
    return folder


@pytest.fixture
def hub(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A running server; the client's caches are the test's own, and no proxy stands between."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf-cache"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    for name in [n for n in os.environ if n.lower().endswith("_proxy") or n in {"HF_TOKEN", "HF_ENDPOINT"}]:
        monkeypatch.delenv(name)
    with serving(FakeHub(commits={FIRST: published / FIRST, SECOND: published / SECOND})) as running:
        yield running


def time_files(root: Path) -> dict[str, bytes]:
    """Return the files of the theme `time`, by path."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and ".cache" not in path.parts and "time" in path.relative_to(root).as_posix()
    }


def refusal(hub: FakeHub, folder: Path, **more: Any) -> str:
    """Return why a download of the theme `time` fails, which is one line."""
    with pytest.raises(BenchmarkError) as caught:
        download(folder, themes=("time",), endpoint=hub.address, **more)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# -- what arrives ------------------------------------------------------------------------------------------------------


def test_one_theme_gives_a_partial_benchmark(hub: FakeHub, tmp_path: Path, published: Path) -> None:
    found = download(tmp_path / "bench", themes=("time",), endpoint=hub.address)
    assert found.revision == FIRST
    assert found.benchmark.partial
    assert [s.id for s in found.benchmark.samples] == ["Sparkle_time_000001", "Sparkle_time_000002"]
    assert time_files(tmp_path / "bench") == time_files(published / FIRST)
    assert sorted(hub.fetched()) == sorted(time_files(published / FIRST))


def test_whole_benchmark_arrives_and_other_counts_than_published_are_refused(
    hub: FakeHub, tmp_path: Path, published: Path
) -> None:
    with pytest.raises(BenchmarkError) as caught:
        download(tmp_path / "bench", endpoint=hub.address)
    message = str(caught.value)
    assert "8 samples, 4 themes, 8 subthemes, 8 scenes" in message
    assert "458 samples, 4 themes, 21 subthemes, 97 scenes" in message
    assert "\n" not in message
    assert benchmark.load(tmp_path / "bench").digest == benchmark.load(published / FIRST).digest
    assert not (tmp_path / "bench" / "README.md").exists()


def test_whole_benchmark_with_the_published_counts_is_complete(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = benchmark.Counts(samples=8, themes=4, subthemes=8, scenes=8)
    monkeypatch.setattr(benchmark.Benchmark.__init__, "__kwdefaults__", {"complete": counts})
    found = download(tmp_path / "bench", endpoint=hub.address)
    assert not found.benchmark.partial
    assert found.benchmark.counts == counts


def test_themes_may_come_one_after_the_other(hub: FakeHub, tmp_path: Path) -> None:
    download(tmp_path / "bench", themes=("time",), endpoint=hub.address)
    found = download(tmp_path / "bench", themes=("style",), endpoint=hub.address)
    assert {s.theme for s in found.benchmark.samples} == {"style"}
    assert len(benchmark.load(tmp_path / "bench").samples) == 4
    assert len(hub.fetched()) == len(set(hub.fetched())) == 8


# -- going on after trouble --------------------------------------------------------------------------------------------


def test_what_is_there_is_not_fetched_again(hub: FakeHub, tmp_path: Path) -> None:
    first = download(tmp_path / "bench", themes=("time",), endpoint=hub.address)
    hub.asked.clear()
    second = download(tmp_path / "bench", themes=("time",), endpoint=hub.address)
    assert hub.fetched() == []
    assert second == first


def test_file_that_was_removed_is_fetched_again_alone(hub: FakeHub, tmp_path: Path) -> None:
    download(tmp_path / "bench", themes=("time",), endpoint=hub.address)
    hub.asked.clear()
    name = "source_videos/time/Sparkle_time_000002.mp4"
    (tmp_path / "bench" / name).unlink()
    download(tmp_path / "bench", themes=("time",), endpoint=hub.address)
    assert hub.fetched() == [name]


def test_file_that_was_damaged_later_is_fetched_again_alone(hub: FakeHub, tmp_path: Path, published: Path) -> None:
    download(tmp_path / "bench", themes=("time",), endpoint=hub.address)
    hub.asked.clear()
    name = "source_videos/time/Sparkle_time_000002.mp4"
    path = tmp_path / "bench" / name
    path.write_bytes(path.read_bytes()[:100])
    later = path.stat().st_mtime + 60
    os.utime(path, (later, later))
    download(tmp_path / "bench", themes=("time",), endpoint=hub.address)
    assert hub.fetched() == [name]
    assert time_files(tmp_path / "bench") == time_files(published / FIRST)


def test_file_cut_off_in_the_middle_is_gone_on_with(
    hub: FakeHub, tmp_path: Path, published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 256)  # so that a small file comes in several pieces
    name = "source_videos/time/Sparkle_time_000001.mp4"
    hub.cuts[name] = [1500]
    download(tmp_path / "bench", themes=("time",), endpoint=hub.address)
    starts = [start for method, path, start in hub.asked if method == "GET" and path.endswith(name)]
    assert len(starts) == 2
    assert starts[0] == 0
    assert 0 < starts[1] <= 1500
    assert time_files(tmp_path / "bench") == time_files(published / FIRST)


@pytest.mark.parametrize("status", [403, 500])
def test_refused_file_is_named_and_the_next_call_fetches_it_alone(
    hub: FakeHub, tmp_path: Path, published: Path, status: int
) -> None:
    name = "source_videos/time/Sparkle_time_000002.mp4"
    hub.refusals[name] = status
    message = refusal(hub, tmp_path / "bench")
    assert str(status) in message
    assert "run the same command again" in message
    first = set(hub.fetched()) - {name}
    hub.refusals.clear()
    hub.asked.clear()
    found = download(tmp_path / "bench", themes=("time",), endpoint=hub.address)
    assert name in hub.fetched()
    assert len(hub.fetched()) == len(set(hub.fetched()))
    assert len(hub.fetched()) <= len(time_files(published / FIRST)) - len(first) + 1
    assert len(found.benchmark.samples) == 2
    assert time_files(tmp_path / "bench") == time_files(published / FIRST)


def test_server_that_dies_half_way_and_comes_back(hub: FakeHub, tmp_path: Path, published: Path) -> None:
    hub.dies_after = 2
    message = refusal(hub, tmp_path / "bench")
    assert "run the same command again" in message
    wanted = time_files(published / FIRST)
    there = {name for name, content in time_files(tmp_path / "bench").items() if content == wanted[name]}
    assert 0 < len(there) < 4
    with pytest.raises(BenchmarkError):
        benchmark.load(tmp_path / "bench")
    hub.dies_after = None
    hub.asked.clear()
    download(tmp_path / "bench", themes=("time",), endpoint=hub.address)
    assert sorted(hub.fetched()) == sorted(set(wanted) - there)
    assert time_files(tmp_path / "bench") == wanted


# -- which revision ----------------------------------------------------------------------------------------------------


def test_second_download_stays_on_the_first_ones_commit(hub: FakeHub, tmp_path: Path, published: Path) -> None:
    download(tmp_path / "bench", themes=("time",), endpoint=hub.address)
    hub.names["main"] = SECOND
    shutil.rmtree(tmp_path / "bench" / "source_videos")
    (tmp_path / "bench" / "time_bench.csv").unlink()
    found = download(tmp_path / "bench", themes=("time",), endpoint=hub.address)
    assert found.revision == FIRST
    assert time_files(tmp_path / "bench") == time_files(published / FIRST)
    elsewhere = download(tmp_path / "other", themes=("time",), endpoint=hub.address)
    assert elsewhere.revision == SECOND
    assert elsewhere.benchmark.digest != found.benchmark.digest


@pytest.mark.parametrize("revision", [SECOND, "v2"], ids=["commit", "tag"])
def test_revision_is_taken_as_asked(hub: FakeHub, tmp_path: Path, published: Path, revision: str) -> None:
    hub.names["v2"] = SECOND
    found = download(tmp_path / "bench", themes=("time",), revision=revision, endpoint=hub.address)
    assert found.revision == SECOND
    assert time_files(tmp_path / "bench") == time_files(published / SECOND)


def test_another_revision_into_the_same_folder_is_refused(hub: FakeHub, tmp_path: Path) -> None:
    download(tmp_path / "bench", themes=("time",), endpoint=hub.address)
    before = time_files(tmp_path / "bench")
    message = refusal(hub, tmp_path / "bench", revision=SECOND)
    assert FIRST[:12] in message
    assert SECOND in message
    assert "choose another folder" in message
    assert time_files(tmp_path / "bench") == before


@pytest.mark.parametrize("revision", [FIRST, FIRST[:8], None], ids=["whole", "short", "none"])
def test_same_revision_into_the_same_folder_goes_on(hub: FakeHub, tmp_path: Path, revision: str | None) -> None:
    download(tmp_path / "bench", themes=("time",), endpoint=hub.address)
    assert download(tmp_path / "bench", themes=("time",), revision=revision, endpoint=hub.address).revision == FIRST


@pytest.mark.parametrize("revision", ["v1", "main"])
def test_same_command_with_a_tag_or_branch_goes_on(hub: FakeHub, tmp_path: Path, revision: str) -> None:
    hub.names["v1"] = FIRST
    hub.refusals["source_videos/time/Sparkle_time_000002.mp4"] = 403
    assert "run the same command again" in refusal(hub, tmp_path / "bench", revision=revision)
    hub.refusals.clear()
    found = download(tmp_path / "bench", themes=("time",), revision=revision, endpoint=hub.address)
    assert found.revision == FIRST


def test_unknown_revision_is_refused_and_leaves_no_pin(hub: FakeHub, tmp_path: Path) -> None:
    assert "v9" in refusal(hub, tmp_path / "bench", revision="v9")
    assert not (tmp_path / "bench" / PIN).exists()
    assert download(tmp_path / "bench", themes=("time",), endpoint=hub.address).revision == FIRST


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '"x"', "\udcff"])
def test_damaged_pin_is_refused_in_one_line(hub: FakeHub, tmp_path: Path, content: str) -> None:
    (tmp_path / PIN).write_bytes(content.encode(errors="surrogateescape"))
    assert "damaged; remove it" in refusal(hub, tmp_path)


# -- no Hub ------------------------------------------------------------------------------------------------------------


def test_server_that_is_down_is_an_error_in_one_line(hub: FakeHub, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        hub.address = f"http://127.0.0.1:{free.getsockname()[1]}"
    message = refusal(hub, tmp_path / "bench")
    assert REPO in message
    assert "run the same command again" in message
    assert not (tmp_path / "bench" / PIN).exists()


def test_server_that_is_down_for_the_second_call_never_gives_half_a_benchmark(hub: FakeHub, tmp_path: Path) -> None:
    download(tmp_path / "bench", themes=("time",), endpoint=hub.address)
    (tmp_path / "bench" / "source_videos/time/Sparkle_time_000001.mp4").unlink()
    hub.down = 403
    refusal(hub, tmp_path / "bench")


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_refusing_server_is_an_error_in_one_line(hub: FakeHub, tmp_path: Path, status: int) -> None:
    hub.down = status
    assert f"cannot download {REPO}" in refusal(hub, tmp_path / "bench")


def test_server_that_is_no_hub_is_an_error_in_one_line(hub: FakeHub, tmp_path: Path) -> None:
    hub.down = 200
    assert f"cannot download {REPO}" in refusal(hub, tmp_path / "bench")


# -- the command -------------------------------------------------------------------------------------------------------


def command(hub: FakeHub, home: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run `sparkle-bench download` with the Hub's address in the environment."""
    plain = {n: v for n, v in os.environ.items() if not n.startswith("HF_") and not n.lower().endswith("_proxy")}
    own = {"HF_ENDPOINT": hub.address, "HF_HOME": str(home), "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1"}
    return subprocess.run(
        [sys.executable, "-m", "sparkle_bench", "download", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**plain, **own, **more},
        timeout=120,
        check=False,
    )


def test_command_downloads_a_theme_and_says_what_is_there(hub: FakeHub, tmp_path: Path, published: Path) -> None:
    folder = tmp_path / "bench"
    done = command(hub, tmp_path / "home", "--to", str(folder), "--theme", "time")
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        f"{folder}: 2 samples, 1 themes, 2 subthemes, 2 scenes (part of the benchmark), revision {FIRST[:12]}\n"
    )
    assert time_files(folder) == time_files(published / FIRST)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        pytest.param([], 1, "8 samples", id="other counts than published"),
        pytest.param(["--theme", "tme"], 2, "did you mean time?", id="unknown theme"),
        pytest.param(["--theme", "time", "--revision", "v9"], 1, "error: cannot download", id="unknown revision"),
    ],
)
def test_command_fails_with_one_line(hub: FakeHub, tmp_path: Path, arguments: list[str], code: int, said: str) -> None:
    done = command(hub, tmp_path / "home", "--to", str(tmp_path / "bench"), *arguments)
    assert done.returncode == code
    assert said in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("why", ["down", "offline"])
def test_command_without_a_hub_fails_with_one_line(hub: FakeHub, tmp_path: Path, why: str) -> None:
    more = {"HF_HUB_OFFLINE": "1"} if why == "offline" else {}
    if why == "down":
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            hub.address = f"http://127.0.0.1:{free.getsockname()[1]}"
    done = command(hub, tmp_path / "home", "--to", str(tmp_path / "bench"), "--theme", "time", **more)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: cannot download")


# -- what is handed in -------------------------------------------------------------------------------------------------

HANDED_IN = {
    "Sparkle_time_000001_edited.mp4": b"one" * 700,
    "time/season---a_meadow/Sparkle_time_000002_edited.MP4": b"two" * 700,
    "more/b.MoV": b"three",
    "manifest.csv": b"id,path\n",
    "more/Submission.toml": b"name = 'x'\n",
}
NOT_HANDED_IN = (
    "README.md",
    ".gitattributes",
    "weights.safetensors",
    "more/._b.mov",
    ".hidden/a.mp4",
    "old_manifest.csv",
)


@pytest.fixture
def handed_in(hub: FakeHub, tmp_path: Path) -> FakeHub:
    """A server whose data set holds videos that somebody hands in."""
    for commit, beginning in ((FIRST, b""), (SECOND, b"newer ")):
        for name, content in {**HANDED_IN, **dict.fromkeys(NOT_HANDED_IN, b"something else")}.items():
            path = tmp_path / "handed in" / commit / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(beginning + content)
        hub.commits[commit] = tmp_path / "handed in" / commit
    return hub


def cached(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder, by path."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def no_submission(hub: FakeHub, **more: Any) -> str:
    """Return why a data set cannot be fetched, which is one line."""
    with pytest.raises(SubmissionError) as caught:
        submission(REPO, endpoint=hub.address, **more)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600
    assert f"hf://{REPO}" in str(caught.value)
    return str(caught.value)


def test_only_what_a_submission_is_made_of_is_fetched(handed_in: FakeHub, tmp_path: Path) -> None:
    folder = submission(REPO, endpoint=handed_in.address)
    assert cached(folder) == HANDED_IN
    assert sorted(handed_in.fetched()) == sorted(HANDED_IN)
    assert (tmp_path / "hf-cache") in folder.parents


def test_submission_is_not_fetched_again(handed_in: FakeHub) -> None:
    first = submission(REPO, endpoint=handed_in.address)
    handed_in.asked.clear()
    assert submission(REPO, endpoint=handed_in.address) == first
    assert handed_in.fetched() == []


def test_submission_of_a_revision(handed_in: FakeHub) -> None:
    handed_in.names["v2"] = SECOND
    newest = submission(REPO, endpoint=handed_in.address)
    tagged = submission(REPO, revision="v2", endpoint=handed_in.address)
    assert cached(newest) == HANDED_IN
    assert cached(tagged) == {name: b"newer " + content for name, content in HANDED_IN.items()}
    assert "v9" in no_submission(handed_in, revision="v9")


@pytest.mark.parametrize("trouble", ["dies", "refuses"])
def test_submission_that_broke_off_goes_on(handed_in: FakeHub, trouble: str) -> None:
    name = "more/b.MoV"
    if trouble == "dies":
        handed_in.dies_after = 2
    else:
        handed_in.refusals[name] = 403
    assert "run the same command again" in no_submission(handed_in)
    handed_in.dies_after = None
    handed_in.refusals.clear()
    handed_in.asked.clear()
    assert cached(submission(REPO, endpoint=handed_in.address)) == HANDED_IN
    assert 0 < len(handed_in.fetched()) < len(HANDED_IN)


def test_cache_that_lost_a_file_is_never_taken_for_a_whole_submission(handed_in: FakeHub) -> None:
    lost = submission(REPO, endpoint=handed_in.address) / "more/b.MoV"
    lost.resolve().unlink()
    lost.unlink()
    handed_in.refusals["more/b.MoV"] = 403
    assert "403" in no_submission(handed_in)


def test_file_that_is_not_as_the_list_says_is_named(handed_in: FakeHub) -> None:
    handed_in.claims = {"more/b.MoV": 99}
    assert "came without more/b.MoV; run the same command again" in no_submission(handed_in)


CLAIMS: dict[str, tuple[dict[str, int], str]] = {
    "a video of three gigabytes": ({"x.mp4": 3 << 30}, "x.mp4 of 3221225472 bytes; at most"),
    "a manifest of 20 MB": ({"manifest.json": 20 << 20}, "manifest.json of 20971520 bytes; at most"),
    "all too large": ({f"{n}.mp4": 2 << 30 for n in range(40)}, "more than 68719476736 bytes"),
    "too many videos": ({f"{n}.mp4": 1 for n in range(20_001)}, "too many files"),
    "too many files": ({f"{n}.txt": 1 for n in range(100_001)}, "too many files"),
}


@pytest.mark.parametrize(("claims", "said"), CLAIMS.values(), ids=CLAIMS)
def test_too_much_is_refused_before_a_byte_is_fetched(handed_in: FakeHub, claims: dict[str, int], said: str) -> None:
    handed_in.claims = claims
    assert said in no_submission(handed_in)
    assert handed_in.fetched() == []


@pytest.mark.parametrize(
    ("name", "said"), [("README.md", "check the address"), ("all.tar.gz", "download all.tar.gz and hand in the file")]
)
def test_data_set_without_videos_is_refused(hub: FakeHub, tmp_path: Path, name: str, said: str) -> None:
    hub.commits[FIRST] = tmp_path / "bare"
    hub.commits[FIRST].mkdir()
    (hub.commits[FIRST] / name).write_bytes(b"x")
    message = no_submission(hub)
    assert "holds no video" in message
    assert said in message


@pytest.mark.parametrize("status", [200, 401, 404, 500])
def test_hub_that_refuses_a_submission_is_an_error_in_one_line(handed_in: FakeHub, status: int) -> None:
    handed_in.down = status
    assert "cannot fetch" in no_submission(handed_in)


def test_disk_that_fills_up_is_the_machines_trouble(handed_in: FakeHub) -> None:
    resource = pytest.importorskip("resource")
    (handed_in.commits[FIRST] / "large.mp4").write_bytes(bytes(3_000_000))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        with pytest.raises(MachineError, match="File too large"):
            submission(REPO, endpoint=handed_in.address)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    ("text", "repo", "revision"),
    [
        ("hf://me/my-videos", "me/my-videos", None),
        ("hf://me/my-videos/", "me/my-videos", None),
        ("hf://datasets/me/my_videos.v2", "me/my_videos.v2", None),
        ("hf://me/my-videos@v1.0", "me/my-videos", "v1.0"),
        ("hf://datasets/me/my-videos@refs/pr/3", "me/my-videos", "refs/pr/3"),
        (f"hf://me/my-videos@{FIRST}", "me/my-videos", FIRST),
    ],
)
def test_address_of_the_hub(text: str, repo: str, revision: str | None) -> None:
    assert parse_address(text) == Address(repo=repo, revision=revision)


@pytest.mark.parametrize(
    "text",
    ["hf://", "hf://me", "hf://me/", "hf:///x", "hf://datasets/me", "hf://models/me/x", "hf://spaces/me/x", "hf://a/b/c",
     "hf://me/x@", "hf://me/x@ v1", "hf://../x", "hf://me/..", "me/x", "https://huggingface.co/datasets/me/x", "hf://me/x\n",
     "hf://m\u00e9/x", "hf://" + "x" * 5000 + "/y", "HF://me/x", "hf://me/x?y", "hf://models/x"],
)  # fmt: skip
def test_what_is_no_address_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(SubmissionError) as caught:
        parse_address(text)
    assert "write hf://owner/name" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300
