"""What must never become a model's mark, and what must never be published."""

from __future__ import annotations

import json
import os
import resource
import shlex
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from sparkle_bench import benchmark, run, video
from sparkle_bench.discretion import HIDDEN, cleaned, cleaned_words
from sparkle_bench.editors.identity import Identity
from sparkle_bench.errors import JudgeUnavailable, MachineError, RequestFailed
from sparkle_bench.judges import probe
from sparkle_bench.judges.pool import Pool, Post
from sparkle_bench.judges.transport import Transport
from sparkle_bench.prompts import load_prompt
from sparkle_bench.records import Sample, to_json
from sparkle_bench.store import Store
from tests import cli
from tests.fake_judge import Answer, FakeJudge, serving, verdict
from tests.makers import counting_level, write_benchmark, write_clip, write_counting_clip, write_edits

NOW = datetime(2026, 1, 2, tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_benchmark(tmp_path_factory.mktemp("made-up") / "bench", samples_per_theme=1)


@pytest.fixture
def fake() -> Iterator[FakeJudge]:
    with serving(FakeJudge()) as judge:
        yield judge


def everything_written(root: Path) -> bytes:
    folders = [root / "results", root / "leaderboards"]
    return b"".join(p.read_bytes() for f in folders for p in f.rglob("*") if p.is_file() and p.suffix != ".mp4")


def test_a_video_changed_while_it_is_judged_gets_no_marks(bench: Path, fake: FakeJudge, tmp_path: Path) -> None:
    """The judge's marks belong to the bytes of the Edit, or to none."""
    store = Store(root=tmp_path)
    loaded = benchmark.load(bench)
    made = run.Made(editor=Identity(), name="identity", options={})
    run.start(store, "identity", loaded, made, now=NOW)
    work = run.Work(store=store, model="identity", samples=loaded.samples)
    run.edit(work, made.editor)
    write_clip(store.video_path("identity", loaded.samples[0]), frames=7)
    store.video_path("identity", loaded.samples[1]).unlink()
    transport = Transport(url=fake.url)
    prompt = load_prompt("sparkle", root=tmp_path)
    seat = run.Bench(judge=probe.connect(transport, prompt, probe.Options(frames=2)), prompt=prompt)
    run.judge(work, seat, now=NOW)
    transport.close()
    kinds = {j.sample_id: j.error_type for j in store.judgments("identity", seat.key).values()}
    assert [kinds[sample.id] for sample in loaded.samples] == ["StaleEdit", "StaleEdit", None, None]
    done = cli.run(
        "eval", "--model", "identity", "--bench", bench, "--judge-url", fake.url, "--frames", "2", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "scored 4 of 4" in done.stdout, "the next run makes the two anew and judges them"


class FullDisk:
    """An editor on a machine whose disk is full."""

    def edit(self, sample: Sample, out: Path) -> None:
        raise OSError(28, "No space left on device", str(out))


def test_a_full_disk_stops_the_run_and_blames_no_model(bench: Path, tmp_path: Path) -> None:
    store = Store(root=tmp_path)
    loaded = benchmark.load(bench)
    editor = FullDisk()
    run.start(store, "x", loaded, run.Made(editor=editor, name="x", options={}), now=NOW)
    with pytest.raises(MachineError, match="No space left on device"):
        run.edit(run.Work(store=store, model="x", samples=loaded.samples), editor)
    assert store.edits("x") == {}


def test_too_many_open_files_is_no_fault_of_the_video(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4")
    held = []
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(200, soft), hard))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            while True:
                held.append(os.open(os.devnull, os.O_RDONLY))
        with pytest.raises(MachineError):
            video.probe(clip)
    finally:
        for number in held:
            os.close(number)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_read_only_root_is_one_line(bench: Path, tmp_path: Path) -> None:
    done = cli.run("edit", "--model", "identity", "--bench", bench, "--root", "/proc/self", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: cannot make the folder /proc/self/results")
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_row_of_nothing_but_failures_is_not_made(bench: Path, fake: FakeJudge, tmp_path: Path) -> None:
    words = ["eval", "--model", "command", "--option", "cmd=sh -c 'exit 3' {out}"]
    done = cli.run(*words, "--bench", bench, "--judge-url", fake.url, cwd=tmp_path)
    assert done.returncode == 1
    assert "not one edit was made; the first, Sparkle_location_000001: the command ended with code 3" in done.stderr
    assert not (tmp_path / "leaderboards").exists()


def test_a_manifest_that_leads_nowhere_is_refused(bench: Path, fake: FakeJudge, tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("id,path\nSparkle_time_000001,nowhere/a.mp4\n")
    done = cli.run("judge", manifest, "--bench", bench, "--judge-url", fake.url, cwd=tmp_path)
    assert done.returncode == 1
    assert "none of the 4 samples has a video" in done.stderr


def test_two_folders_with_a_dot_in_their_names_are_two_results(bench: Path, fake: FakeJudge, tmp_path: Path) -> None:
    samples = benchmark.load(bench).samples
    for name in ("wan2.1", "wan2.2"):
        folder = write_edits(tmp_path / name, samples)
        assert cli.run("judge", folder, "--bench", bench, "--judge-url", fake.url, cwd=tmp_path).returncode == 0
    assert Store(root=tmp_path).models() == ["wan2.1", "wan2.2"]


def test_av1_is_judged_like_any_other_codec(bench: Path, fake: FakeJudge, tmp_path: Path) -> None:
    """Decord does not know AV1; that is our lack, not the model's."""
    import av
    import numpy as np

    for sample in benchmark.load(bench).samples:
        path = tmp_path / "av1" / f"{sample.id}.mp4"
        path.parent.mkdir(exist_ok=True)
        with av.open(str(path), "w") as container:
            stream: Any = container.add_stream("libsvtav1", rate=16)
            stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
            for level in range(12):
                frame = av.VideoFrame.from_ndarray(np.full((64, 96, 3), 20 * level, dtype=np.uint8), format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    done = cli.run("judge", tmp_path / "av1", "--bench", bench, "--judge-url", fake.url, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["n"] == 4


def test_fewer_repeats_than_before_still_ask_for_what_is_missing(bench: Path, fake: FakeJudge, tmp_path: Path) -> None:
    fake.answer = lambda body: Answer(text="no" if body["seed"] % 1000 == 43 else None)
    words: list[str | Path] = [
        "eval",
        "--model",
        "identity",
        "--bench",
        bench,
        "--judge-url",
        fake.url,
        "--frames",
        "2",
    ]
    assert cli.run(*words, "--repeats", "2", cwd=tmp_path).returncode == 3
    assert cli.run(*words, cwd=tmp_path).returncode == 3, "the second repeat is still missing"
    fake.answer = lambda body: Answer()
    assert cli.run(*words, cwd=tmp_path).returncode == 0


def test_shards_of_one_division_share_no_sample_whatever_else_is_chosen(bench: Path) -> None:
    loaded = benchmark.load(bench)
    whole = {s.id for s in benchmark.select(loaded, benchmark.Selection(shard=(0, 2)))}
    part = {s.id for s in benchmark.select(loaded, benchmark.Selection(themes=("time", "season"), shard=(1, 2)))}
    assert not whole & part


def test_two_makers_at_once_cannot_share_a_name(bench: Path, tmp_path: Path) -> None:
    shards = [
        cli.start(
            "edit", "--model", "command", "--name", "x", "--option", f"cmd=sh -c 'sleep 0.{n}; cp $0 $1' {{source}} {{out}}",
            "--bench", bench, "--shard", f"{n}/2", cwd=tmp_path,
        )
        for n in (0, 1)
    ]  # fmt: skip
    outcomes = [(*shard.communicate(timeout=60), shard.returncode) for shard in shards]
    assert sorted(code for _, _, code in outcomes) == [0, 1], outcomes
    assert sum("was made by command with options" in errors for _, errors, _ in outcomes) == 1


def test_no_secret_and_no_folder_of_this_machine_is_written(bench: Path, fake: FakeJudge, tmp_path: Path) -> None:
    fake.key = "sk-very-secret-1"
    fake.models = ("/home/alice/models/tiny-judge",)
    script = tmp_path / "infer.sh"
    script.write_text(
        'cp "$1" "$2"; case "$1" in *time*) echo "key=$SPARKLE_JUDGE_API_KEY."; ls "$1" "$2" x; exit 4;; esac'
    )
    command = f"cmd=sh {script} {{source}} {{out}}"
    words: list[str | Path] = [
        "eval",
        "--model",
        "command",
        "--option",
        command,
        "--bench",
        bench,
        "--judge-url",
        fake.url,
    ]
    done = cli.run(*words, cwd=tmp_path, SPARKLE_JUDGE_API_KEY=" sk-very-secret-1\n")
    assert done.returncode == 0, done.stderr
    written = everything_written(tmp_path)
    assert b"key=. " in written, "the program's own words are kept"
    for secret in (b"sk-very-secret-1", b"/home/alice", str(tmp_path).encode()):
        assert secret not in written
    assert "sk-very-secret-1" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("sh /home/alice/infer.py --token abc {out}", "sh infer.py --token '[hidden]' '{out}'"),
        ("sh --api-key=abc --model=/data/weights {out}", "sh '--api-key=[hidden]' --model=weights '{out}'"),
        ("sh run hf_abcdefgh123 {out}", "sh run '[hidden]' '{out}'"),
        ("sh ~/x/run.py --steps 4 {out}", "sh run.py --steps 4 '{out}'"),
    ],
)
def test_a_command_is_published_without_secrets_and_folders(words: str, shown: str) -> None:
    from sparkle_bench.editors.command import Command

    assert Command(cmd=words).describe()["cmd"] == shown


@pytest.mark.parametrize("key", ["sk-ü", "sk-a\nb"])
def test_a_key_that_is_none_is_refused_unseen(key: str, bench: Path, fake: FakeJudge, tmp_path: Path) -> None:
    words: list[str | Path] = ["eval", "--model", "identity", "--bench", bench, "--judge-url", fake.url]
    done = cli.run(*words, cwd=tmp_path, SPARKLE_JUDGE_API_KEY=key)
    assert done.returncode == 2
    assert "SPARKLE_JUDGE_API_KEY holds characters that no key has" in done.stderr
    assert "sk-" not in done.stderr


@pytest.mark.parametrize(
    "url", ["http://[::1/v1", "127.0.0.1:8000", "ftp://127.0.0.1/v1", "http:///v1", "http://a:99999/"]
)
def test_an_address_that_is_none_is_refused(url: str, bench: Path, tmp_path: Path) -> None:
    done = cli.run("eval", "--model", "identity", "--bench", bench, "--judge-url", url, cwd=tmp_path)
    assert done.returncode == 2
    assert "--judge-url is no address" in done.stderr


def completion(text: str, **more: object) -> Answer:
    return Answer(body=json.dumps({"choices": [{"message": {"content": text}}], **more}).encode())


ODD = {
    "half a surrogate pair": completion("Nice \ud83d\n" + verdict(3, 3, 3, 3, 3, 3)),
    "usage is text": completion(verdict(3, 3, 3, 3, 3, 3), usage="lots"),
}


@pytest.mark.parametrize("answer", ODD.values(), ids=ODD.keys())
def test_an_odd_reply_is_kept_and_read(answer: Answer, bench: Path, fake: FakeJudge, tmp_path: Path) -> None:
    fake.answer = lambda body: answer
    words: list[str | Path] = ["eval", "--model", "identity", "--bench", bench, "--judge-url", fake.url, "--json"]
    done = cli.run(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["overall"] == 3.0


def test_json_nested_without_end_is_one_failed_try(bench: Path, fake: FakeJudge, tmp_path: Path) -> None:
    fake.queue.append(Answer(body=b"[" * 200_000))
    words: list[str | Path] = ["eval", "--model", "identity", "--bench", bench, "--judge-url", fake.url, "--json"]
    done = cli.run(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_the_time_limit_holds_for_an_answer_that_drips(fake: FakeJudge) -> None:
    fake.answer = lambda body: Answer(drip=0.2)
    transport = Transport(url=fake.url, timeout=1.0, tries=2, sleep=lambda seconds: None)
    begun = time.monotonic()
    with pytest.raises(RequestFailed, match="no answer within 1 s"):
        Pool([transport]).post(Post(path="/chat/completions", body=b'{"model": "tiny-judge"}', check=lambda data: None))
    transport.close()
    assert time.monotonic() - begun < 8


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_is_loading_is_waited_for_and_named(status: int, fake: FakeJudge) -> None:
    slept: list[float] = []
    transport = Transport(url=fake.url, sleep=slept.append)
    prompt = load_prompt("sparkle", root=Path())
    fake.busy = 2
    fake.busy_status = status
    assert probe.connect(transport, prompt, probe.Options(frames=2)).server.model == "tiny-judge"
    assert len(slept) == 2
    fake.busy = 100
    with pytest.raises(JudgeUnavailable, match="is busy or not ready"):
        probe.connect(transport, prompt, probe.Options(frames=2))
    transport.close()


def test_a_proxy_is_not_asked_about_this_machine(bench: Path, fake: FakeJudge, tmp_path: Path) -> None:
    words: list[str | Path] = ["eval", "--model", "identity", "--bench", bench, "--judge-url", fake.url]
    done = cli.run(*words, cwd=tmp_path, HTTP_PROXY="http://127.0.0.1:9", http_proxy="http://127.0.0.1:9")
    assert done.returncode == 0, done.stderr


def test_a_class_of_ones_own_needs_no_name(bench: Path, tmp_path: Path) -> None:
    (tmp_path / "mymodels.py").write_text(
        "import shutil\n\n"
        "class Painter:\n"
        "    def edit(self, sample, out):\n"
        "        shutil.copyfile(sample.source_path, out)\n"
    )
    done = cli.run("edit", "--model", "mymodels:Painter", "--bench", bench, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert Store(root=tmp_path).models() == ["Painter"]


def test_a_shard_of_an_incomplete_submission_may_be_empty(bench: Path, fake: FakeJudge, tmp_path: Path) -> None:
    folder = write_edits(tmp_path / "one", benchmark.load(bench).samples[:1])
    words: list[str | Path] = ["judge", folder, "--bench", bench, "--judge-url", fake.url, "--allow-incomplete"]
    outcomes = [cli.run(*words, "--shard", f"{n}/4", cwd=tmp_path) for n in (3, 2, 1, 0)]
    assert [done.returncode for done in outcomes] == [0] * 4, [done.stderr for done in outcomes]
    assert "scored 1 of 4, no edit 3" in outcomes[-1].stdout


def test_the_boards_date_and_code_are_those_of_the_verdicts(bench: Path, fake: FakeJudge, tmp_path: Path) -> None:
    words: list[str | Path] = ["eval", "--model", "identity", "--bench", bench, "--judge-url", fake.url]
    assert cli.run(*words, cwd=tmp_path).returncode == 0
    judge_file = next(tmp_path.glob("results/identity/judged/*/judge.json"))
    old = {**json.loads(judge_file.read_text()), "date": "2020-01-01T00:00:00+00:00", "code_version": "0.0.1"}
    judge_file.write_text(json.dumps(old))
    judge_file.with_name("judgments.jsonl").unlink()
    done = cli.run(*words, "--json", cwd=tmp_path)
    row = json.loads(done.stdout)
    assert not row["date"].startswith("2020")
    assert row["code_version"] != "0.0.1"


def test_an_editor_of_ones_own_that_cannot_be_built_is_one_line(bench: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(
        "class Painter:\n    def __init__(self):\n        raise RuntimeError('CUDA out of memory')\n"
    )
    done = cli.run("edit", "--model", "broken:Painter", "--bench", bench, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.strip() == "error: Painter cannot be built: RuntimeError: CUDA out of memory"


def test_a_title_in_another_encoding_does_not_make_a_video_unreadable(tmp_path: Path) -> None:
    import av
    import numpy as np

    path = tmp_path / "titled.mp4"
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "TITLETITLE"
        stream: Any = container.add_stream("libx264", rate=16)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for _ in range(8):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 96, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode())
    content = path.read_bytes()
    assert b"TITLETITLE" in content
    path.write_bytes(content.replace(b"TITLETITLE", b"\xff" * 10))
    assert video.probe(path).frames == 8


def test_frames_that_an_edit_list_hides_are_not_shown(tmp_path: Path) -> None:
    """A clip trimmed without re-encoding keeps hidden frames; decord alone would count them and show others twice."""
    import av
    import cv2
    import numpy as np

    source = write_counting_clip(tmp_path / "source.mp4", frames=32)
    trimmed = tmp_path / "trimmed.mp4"
    keep_hidden = {"avoid_negative_ts": "disabled", "use_editlist": "1"}
    with av.open(str(source)) as given, av.open(str(trimmed), "w", options=keep_hidden) as made:
        stream: Any = made.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.dts is not None and packet.pts is not None and packet.duration is not None:
                packet.pts, packet.dts = packet.pts - 8 * packet.duration, packet.dts - 8 * packet.duration
                packet.stream = stream
                made.mux(packet)
    assert video.probe(trimmed).frames == 24
    pair = video.load_pair(trimmed, trimmed, video.Sampling(frames=24))
    pictures = [cv2.imdecode(np.frombuffer(part, np.uint8), cv2.IMREAD_GRAYSCALE) for part in pair.after.parts]
    levels = [float(np.mean(picture)) for picture in pictures if picture is not None]
    assert levels == pytest.approx([counting_level(index, 32) for index in range(8, 32)], abs=4)


class WrapsFullDisk:
    """An editor whose own error hides what the machine said."""

    def edit(self, sample: Sample, out: Path) -> None:
        try:
            raise OSError(28, "No space left on device")
        except OSError as error:
            raise RuntimeError("cannot save") from error


def test_a_full_disk_is_seen_behind_an_editors_own_error(bench: Path, tmp_path: Path) -> None:
    store, loaded, editor = Store(root=tmp_path), benchmark.load(bench), WrapsFullDisk()
    run.start(store, "x", loaded, run.Made(editor=editor, name="x", options={}), now=NOW)
    with pytest.raises(MachineError, match="cannot save"):
        run.edit(run.Work(store=store, model="x", samples=loaded.samples), editor)


def test_a_source_that_is_gone_is_no_fault_of_the_model(bench: Path, tmp_path: Path) -> None:
    store, loaded, editor = Store(root=tmp_path), benchmark.load(bench), Identity()
    gone = [Sample(**{**to_json(s), "root": tmp_path / "moved"}) for s in loaded.samples]
    run.start(store, "x", loaded, run.Made(editor=editor, name="x", options={}), now=NOW)
    with pytest.raises(MachineError, match=r"the source source_videos/location/Sparkle_location_000001\.mp4 is gone"):
        run.edit(run.Work(store=store, model="x", samples=gone), editor)


def test_options_that_look_alike_when_published_are_still_told_apart(bench: Path, tmp_path: Path) -> None:
    words: list[str | Path] = ["edit", "--model", "command", "--bench", bench, "--option"]
    assert cli.run(*words, "cmd=sh -c 'cp $0 $1' {source} {out} /a/model.pt", cwd=tmp_path).returncode == 0
    other = cli.run(*words, "cmd=sh -c 'cp $0 $1' {source} {out} /b/model.pt", cwd=tmp_path)
    assert other.returncode == 1
    assert "results/command was made by command" in other.stderr


def test_a_reply_that_was_cut_off_is_no_verdict_and_asking_again_is_not_the_same(
    bench: Path, fake: FakeJudge, tmp_path: Path
) -> None:
    cut = {"choices": [{"message": {"content": verdict(4, 4, 4, 4, 4, 4)}, "finish_reason": "length"}]}
    fake.queue.append(Answer(body=json.dumps(cut).encode()))
    words: list[str | Path] = ["eval", "--model", "identity", "--limit", "1", "--bench", bench, "--judge-url", fake.url]
    assert cli.run(*words, cwd=tmp_path).returncode == 0
    asked = [(body["temperature"], body["seed"]) for body in fake.requests]
    assert asked == [(0.0, 42), (0.5, 1042)]
    line = json.loads(next(tmp_path.glob("results/identity/judged/*/judgments.jsonl")).read_text())
    assert line["failures"] == ["the reply was cut off at the limit of tokens"]


@pytest.mark.parametrize("body", [b'{"tokens": [1, 2]}', b"[" * 100_000, b"no JSON"])
def test_another_servers_tokenize_is_left_alone(body: bytes, fake: FakeJudge) -> None:
    fake.owned_by = "llamacpp"
    fake.tokenized = Answer(body=body)
    transport = Transport(url=fake.url)
    judge = probe.connect(transport, load_prompt("sparkle", root=Path()), probe.Options(frames=2))
    transport.close()
    assert (judge.clock, judge.checked) == ("unverified", False)


@pytest.mark.parametrize("status", [301, 307])
def test_a_server_that_has_moved_is_named(status: int, bench: Path, fake: FakeJudge, tmp_path: Path) -> None:
    fake.answer = lambda body: Answer(status=status, headers={"Location": "http://127.0.0.1:9/there"})
    done = cli.run("eval", "--model", "identity", "--bench", bench, "--judge-url", fake.url, cwd=tmp_path)
    assert done.returncode == 1
    assert f"has moved ({status}: http://127.0.0.1:9/there); correct --judge-url" in done.stderr


SECRETS = [
    "env HF_TOKEN=hf_abcdefgh12 x",
    "env WANDB_API_KEY=0123456789 x",
    "x --header 'Authorization: Bearer abc.def'",
    "x -H 'x-api-key: 0123456789'",
    "x --url https://user:pa55@host/v",
    "x 'https://host/v?api_key=0123456789&x=1'",
    "bash -c 'export OPENAI_API_KEY=sk-0123456789'",
    "x --pwd 0123456789",
    "x --bearer 0123456789",
    "x AKIA0123456789ABCDEF",
    "x gsk_0123456789",
    "x github_pat_0123456789",
]


@pytest.mark.parametrize("words", SECRETS)
def test_secrets_are_hidden_wherever_they_stand(words: str) -> None:
    for shown in (" ".join(cleaned_words(shlex.split(words))), cleaned(words) if "--" not in words else HIDDEN):
        for secret in ("0123456789", "hf_abc", "pa55", "abc.def"):
            assert secret not in shown


@pytest.mark.parametrize(
    "words", ["x --max-tokens 77 --tokenizer bpe", "x --key-frames 3 --author me", "x {source} --steps=50", "a/b c"]
)
def test_what_is_no_secret_is_shown(words: str) -> None:
    assert cleaned_words(words.split()) == words.split()


PATHS = {
    "No such file:/home/somebody/a.bin": "No such file:a.bin",
    "file:///home/somebody/x.mp4": "file://x.mp4",
    "a=/home/somebody/x:/home/somebody/y": "a=x:y",
    "cannot open C:\\Users\\somebody\\x.mp4": "cannot open x.mp4",
    "http://127.0.0.1:8000/v1 and hf://owner/name": "http://127.0.0.1:8000/v1 and hf://owner/name",
    "../x/y at 16/9": "../x/y at 16/9",
}


@pytest.mark.parametrize(("text", "shown"), PATHS.items())
def test_folders_are_cut_wherever_they_begin(text: str, shown: str) -> None:
    assert cleaned(text) == shown


def test_folders_are_cut_from_text_but_not_addresses() -> None:
    assert (
        cleaned("File /opt/x/y/infer.py line 3, see https://host/a/b") == "File infer.py line 3, see https://host/a/b"
    )
