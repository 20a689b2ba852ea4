"""The built-in editors, the registry that finds them, and the editing stage that runs and records them."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from sparkle_bench import benchmark, editors, provenance, registry, run, video
from sparkle_bench.benchmark import Benchmark, Selection, file_sha256, select
from sparkle_bench.editors import EDITORS, Editor
from sparkle_bench.editors.command import Command
from sparkle_bench.editors.folder import Folder
from sparkle_bench.editors.identity import Identity
from sparkle_bench.errors import EditorError, SparkleError, StoreError, SubmissionError, VideoError
from sparkle_bench.records import Edit, Sample
from sparkle_bench.run import Made, Work
from sparkle_bench.store import Store
from tests import makers

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    """Eight samples with small videos; tests only read them."""
    return benchmark.load(makers.write_benchmark(tmp_path_factory.mktemp("bench")))


@pytest.fixture
def samples(bench: Benchmark) -> list[Sample]:
    """The samples of the theme `time`."""
    return [s for s in bench.samples if s.theme == "time"]


@pytest.fixture
def sample(samples: list[Sample]) -> Sample:
    """One of them."""
    return samples[0]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store."""
    return Store(root=tmp_path / "root")


def script(folder: Path, code: str, name: str = "editor.py") -> str:
    """Write a small Python program and return the words that start it, for a command line."""
    path = folder / name
    path.write_text(textwrap.dedent(code), encoding="utf-8")
    return f"{shlex.quote(sys.executable)} {shlex.quote(str(path))}"


def failure(editor: Editor, sample: Sample, out: Path) -> str:
    """Return why an edit fails, which is one line."""
    with pytest.raises(EditorError) as caught:
        editor.edit(sample, out)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def gone(pid: int, within: float = 10.0) -> bool:
    """Whether a process ends within some seconds; a zombie has ended."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        status = Path(f"/proc/{pid}/stat")
        try:
            if status.read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


# -- identity ----------------------------------------------------------------------------------------------------------


def test_identity_copies_the_source(sample: Sample, tmp_path: Path) -> None:
    Identity().edit(sample, tmp_path / "out.mp4")
    assert (tmp_path / "out.mp4").read_bytes() == sample.source_path.read_bytes()


# -- folder ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["authors' tree", "flat, edited", "flat"])
def test_folder_finds_videos_in_every_layout(samples: list[Sample], tmp_path: Path, layout: str) -> None:
    handed_in = tmp_path / "handed-in"
    for number, sample in enumerate(samples):
        name = {
            "authors' tree": sample.edit_path,
            "flat, edited": f"{sample.id}_edited.mp4",
            "flat": f"{sample.id}.mp4",
        }[layout]
        makers.write_clip(handed_in / name, seed=50 + number)
    folder = Folder(path=handed_in)
    folder.prepare(samples)
    for sample in samples:
        found = folder.find(sample)
        assert found is not None
        folder.edit(sample, tmp_path / "out.mp4")
        assert (tmp_path / "out.mp4").read_bytes() == found.read_bytes()
        assert sample.id in found.name


def test_folder_prefers_the_authors_tree(sample: Sample, tmp_path: Path) -> None:
    tree = makers.write_clip(tmp_path / sample.edit_path, seed=1)
    makers.write_clip(tmp_path / f"{sample.id}_edited.mp4", seed=2)
    makers.write_clip(tmp_path / f"{sample.id}.mp4", seed=3)
    assert Folder(path=tmp_path).find(sample) == tree


def test_folder_reads_the_real_submission(mini: Path, data: Path) -> None:
    loaded = benchmark.load(mini)
    folder = Folder(path=data / "submissions" / "sparkle-data")
    folder.prepare(loaded.samples)
    assert [s.id for s in loaded.samples if folder.find(s) is None] == []


def write_manifest(path: Path, rows: Sequence[Mapping[str, Any]], *, start: bytes = b"", newline: str = "\n") -> Path:
    """Write a manifest, as CSV or JSONL by its name."""
    if path.suffix == ".jsonl":
        lines = [json.dumps(dict(row), ensure_ascii=False) for row in rows]
    else:
        lines = [",".join(rows[0]), *(",".join(str(value) for value in row.values()) for row in rows)]
    path.write_bytes(start + "".join(line + newline for line in lines).encode())
    return path


@pytest.mark.parametrize("name", ["manifest.csv", "manifest.jsonl", "mine.csv", "mine.jsonl"])
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"], ids=["no BOM", "BOM"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_manifest_is_read(samples: list[Sample], tmp_path: Path, name: str, start: bytes, newline: str) -> None:
    videos = [makers.write_clip(tmp_path / "videos" / f"clip {n}.mp4", seed=n) for n in range(len(samples))]
    rows = [{"id": s.id, "path": f"videos/{v.name}"} for s, v in zip(samples, videos, strict=True)]
    manifest = write_manifest(tmp_path / name, rows, start=start, newline=newline)
    folder = Folder(path=tmp_path if name.startswith("manifest") else manifest)
    folder.prepare(samples)
    assert [folder.find(s) for s in samples] == videos


def test_manifest_keeps_paths_with_commas_quotes_and_other_letters(samples: list[Sample], tmp_path: Path) -> None:
    paths = ['a, "b".mp4', "夜明け\u2028é.mp4"]
    for path in paths:
        makers.write_clip(tmp_path / path)
    lines = [f'{samples[0].id},"a, ""b"".mp4"', f"{samples[1].id},{paths[1]}"]
    (tmp_path / "manifest.csv").write_text("\n".join(["id,path", *lines]), encoding="utf-8")
    assert [Folder(path=tmp_path).find(s) for s in samples] == [tmp_path / p for p in paths]
    (tmp_path / "manifest.csv").unlink()
    rows = [{"id": s.id, "path": p} for s, p in zip(samples, paths, strict=True)]
    write_manifest(tmp_path / "manifest.jsonl", rows)
    assert [Folder(path=tmp_path).find(s) for s in samples] == [tmp_path / p for p in paths]


def test_manifest_takes_absolute_paths_and_other_fields(sample: Sample, tmp_path: Path) -> None:
    clip = makers.write_clip(tmp_path / "elsewhere" / "clip.mp4")
    rows = [{"note": "x", "path": str(clip), "id": sample.id}]
    assert Folder(path=write_manifest(tmp_path / "mine.csv", rows)).find(sample) == clip


def test_manifest_alone_decides(samples: list[Sample], tmp_path: Path) -> None:
    makers.write_edits(tmp_path, samples)
    clip = makers.write_clip(tmp_path / "other.mp4")
    write_manifest(tmp_path / "manifest.csv", [{"id": samples[0].id, "path": "other.mp4"}])
    folder = Folder(path=tmp_path)
    assert folder.find(samples[0]) == clip
    assert folder.find(samples[1]) is None
    assert samples[1].id in failure(folder, samples[1], tmp_path / "out.mp4")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        pytest.param("m.csv", b"id,path\nx,a.mp4\nx,b.mp4\n", "more than once", id="CSV: id twice"),
        pytest.param(
            "m.jsonl", b'{"id": "x", "path": "a"}\n{"id": "x", "path": "b"}\n', "more than once", id="JSONL: id twice"
        ),
        pytest.param("m.csv", b"id,video\nx,a.mp4\n", "id and path", id="CSV: no path column"),
        pytest.param("m.csv", b"name,path\nx,a.mp4\n", "id and path", id="CSV: no id column"),
        pytest.param("m.csv", b"id,path\nx\n", "id and path", id="CSV: row too short"),
        pytest.param("m.csv", b"id,path\nx,\n", "id and path", id="CSV: empty path"),
        pytest.param("m.csv", b"id,path\n,a.mp4\n", "id and path", id="CSV: empty id"),
        pytest.param("m.jsonl", b'{"id": "x"}\n', "id and path", id="JSONL: no path"),
        pytest.param("m.jsonl", b'{"id": "x", "path": null}\n', "id and path", id="JSONL: null path"),
        pytest.param("m.jsonl", b'{"path": "x"}\n', "id and path", id="JSONL: no id"),
        pytest.param("m.jsonl", b"[1, 2]\n", "id and path", id="JSONL: no object"),
        pytest.param("m.jsonl", b"7\n", "id and path", id="JSONL: a number"),
        pytest.param("m.jsonl", b"{oops\n", "cannot be read", id="JSONL: bad JSON"),
        pytest.param("m.csv", b"id,path\n\xff,a\n", "cannot be read", id="CSV: not UTF-8"),
        pytest.param("m.jsonl", b"\xff\n", "cannot be read", id="JSONL: not UTF-8"),
        pytest.param("m.txt", b"id,path\n", "is no folder, archive", id="another kind of file"),
    ],
)
def test_bad_manifest_is_refused(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SubmissionError) as caught:
        Folder(path=tmp_path / name)
    assert said in str(caught.value)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SubmissionError, match="no folder, archive or manifest at"):
        Folder(path=tmp_path / "nowhere")


def test_folder_in_which_nothing_matches_shows_expected_and_found(samples: list[Sample], tmp_path: Path) -> None:
    for number in range(5):
        makers.write_clip(tmp_path / "mine" / f"clip{number}.mp4")
    with pytest.raises(SubmissionError) as caught:
        Folder(path=tmp_path).prepare(samples)
    message = str(caught.value)
    assert "none of the 2 samples" in message
    for expected in (samples[0].edit_path, f"{samples[0].id}_edited.mp4", f"{samples[0].id}.mp4"):
        assert expected in message
    assert "mine/clip0.mp4, mine/clip1.mp4, mine/clip2.mp4 and 2 more" in message


def test_empty_folder_says_so(samples: list[Sample], tmp_path: Path) -> None:
    with pytest.raises(SubmissionError, match="found no video"):
        Folder(path=tmp_path).prepare(samples)


def test_folder_with_one_match_is_taken_and_the_rest_fails(samples: list[Sample], tmp_path: Path) -> None:
    makers.write_edits(tmp_path, samples[:1])
    folder = Folder(path=tmp_path)
    folder.prepare(samples)
    assert f"{samples[1].id}_edited.mp4" in failure(folder, samples[1], tmp_path / "out.mp4")


def test_file_named_in_a_manifest_but_missing_fails_on_its_sample(sample: Sample, tmp_path: Path) -> None:
    write_manifest(tmp_path / "manifest.csv", [{"id": sample.id, "path": "gone.mp4"}])
    assert sample.id in failure(Folder(path=tmp_path), sample, tmp_path / "out.mp4")


def test_is_current_follows_the_file_handed_in(sample: Sample, tmp_path: Path) -> None:
    makers.write_edits(tmp_path, [sample])
    folder, path = Folder(path=tmp_path), tmp_path / sample.edit_path
    edit = Edit(sample_id=sample.id, video="v.mp4", sha256=file_sha256(path), probe=video.probe(path))
    assert folder.is_current(sample, edit)
    makers.write_clip(path, seed=77)
    assert not folder.is_current(sample, edit)
    path.unlink()
    assert not folder.is_current(sample, edit)


def test_folder_tells_its_name_and_not_its_place(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    assert Folder(path=tmp_path / "mine").describe() == {"path": "mine"}


# -- command -----------------------------------------------------------------------------------------------------------

NOTE_ARGUMENTS = """
    import json, shutil, sys
    source, out, *rest = sys.argv[1:]
    shutil.copyfile(source, out)
    open(out + ".json", "w").write(json.dumps(rest))
"""


def arguments(sample: Sample, tmp_path: Path, words: str) -> list[str]:
    """Run a command that notes its arguments and return them."""
    out = tmp_path / "out folder" / "out.mp4"
    out.parent.mkdir(exist_ok=True)
    Command(cmd=f"{script(tmp_path, NOTE_ARGUMENTS)} {{source}} {{out}} {words}").edit(sample, out)
    assert out.read_bytes() == sample.source_path.read_bytes()
    noted = json.loads(Path(f"{out}.json").read_text(encoding="utf-8"))
    assert isinstance(noted, list)
    return noted


def test_command_fills_every_placeholder(sample: Sample, tmp_path: Path) -> None:
    noted = arguments(sample, tmp_path, "{id} {theme} {subtheme} {scene} {instruction} --x={theme}/{id} '{theme} x'")
    assert noted == [
        sample.id,
        sample.theme,
        sample.subtheme,
        sample.scene,
        sample.instruction,
        f"--x={sample.theme}/{sample.id}",
        f"{sample.theme} x",
    ]


@pytest.mark.parametrize(
    "instruction",
    [
        "To the \"old\" town's 'market'",
        "a {source} {out} {nothing} {{braces}} {0} {",
        "$(touch pwned) `touch pwned` $HOME ${PATH}",
        "a; touch pwned & touch pwned | cat > pwned && true",
        "first line\nsecond line\r\n\tthird",
        "--out /etc/passwd",
        "* ? ~ [a-z] \\ \\n %s",
        "夜明け — café 🌅",
        "   ",
    ],
    ids=["quotes", "braces", "substitution", "shell operators", "line breaks", "an option", "globs", "UTF-8", "blanks"],
)
def test_instruction_arrives_verbatim_as_one_argument(sample: Sample, tmp_path: Path, instruction: str) -> None:
    given = replace(sample, instruction=instruction)
    assert arguments(given, tmp_path, "before {instruction} after") == ["before", instruction, "after"]
    assert list(Path().glob("pwned")) == []
    assert list(tmp_path.rglob("pwned")) == []


def test_command_runs_without_a_shell(sample: Sample, tmp_path: Path) -> None:
    assert arguments(sample, tmp_path, "$HOME '*' ; echo x | cat") == ["$HOME", "*", ";", "echo", "x", "|", "cat"]


def test_relative_paths_are_made_absolute(sample: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    relative = replace(sample, root=Path(os.path.relpath(sample.root, tmp_path)))
    code = """
        import shutil, sys, os
        assert os.path.isabs(sys.argv[1]) and os.path.isabs(sys.argv[2])
        os.chdir("/")
        shutil.copyfile(sys.argv[1], sys.argv[2])
    """
    Command(cmd=f"{script(tmp_path, code)} {{source}} {{out}}").edit(relative, Path("out.mp4"))
    assert (tmp_path / "out.mp4").is_file()


@pytest.mark.parametrize(
    ("cmd", "said"),
    [
        pytest.param("x {source} {output}", "unknown placeholder {output}", id="unknown placeholder"),
        pytest.param("x {out} {prompt}", "known: source, instruction, out", id="unknown beside known"),
        pytest.param("x {source} {instruction}", "needs {out}", id="no {out}"),
        pytest.param("x {out} 'open", "cannot be split", id="open quote"),
        pytest.param("", "needs {out}", id="empty"),
    ],
)
def test_bad_command_line_is_refused_at_once(cmd: str, said: str) -> None:
    with pytest.raises(EditorError) as caught:
        Command(cmd=cmd)
    assert said in str(caught.value)


@pytest.mark.parametrize("timeout", [0.0, -1.0, float("nan")])
def test_impossible_time_limit_is_refused_at_once(timeout: float) -> None:
    with pytest.raises(EditorError):
        Command(cmd="x {out}", timeout=timeout)


def test_program_that_does_not_exist_is_named_before_the_work_begins() -> None:
    with pytest.raises(EditorError, match="there is no program 'no-such-program-here' to run"):
        Command(cmd="no-such-program-here {out}")


def test_instruction_with_a_nul_fails_on_its_sample(store: Store, samples: list[Sample], tmp_path: Path) -> None:
    command = Command(cmd=f"{script(tmp_path, NOTE_ARGUMENTS)} {{source}} {{out}} {{instruction}}")
    run.edit(work_on(store, [replace(samples[0], instruction="a\0b"), samples[1]]), command)
    bad, good = (store.edits("fake")[s.id] for s in samples)
    assert "null byte" in (bad.error or "")
    assert good.ok


def test_exit_code_and_the_end_of_what_was_printed_are_kept(sample: Sample, tmp_path: Path) -> None:
    code = """
        import sys
        print("noise " * 5000)
        sys.stdout.flush()
        sys.stderr.write("x" * 5000 + "\\nRuntimeError: CUDA out of memory\\n")
        sys.exit(7)
    """
    message = failure(Command(cmd=f"{script(tmp_path, code)} {{out}}"), sample, tmp_path / "out.mp4")
    assert "ended with code 7" in message
    assert message.endswith("RuntimeError: CUDA out of memory")
    assert len(message) < 1000


def test_output_that_is_not_utf_8_is_kept(sample: Sample, tmp_path: Path) -> None:
    code = "import sys; sys.stderr.buffer.write(bytes(range(256)) + b' the end'); sys.exit(1)"
    message = failure(Command(cmd=f"{script(tmp_path, code)} {{out}}"), sample, tmp_path / "out.mp4")
    assert message.endswith("the end")


def test_program_ended_by_a_signal_fails(sample: Sample, tmp_path: Path) -> None:
    code = "import os; os.kill(os.getpid(), 9)"
    message = failure(Command(cmd=f"{script(tmp_path, code)} {{out}}"), sample, tmp_path / "out.mp4")
    assert "-9" in message
    assert "it printed nothing" in message


def test_program_that_writes_nothing_fails(sample: Sample, tmp_path: Path) -> None:
    message = failure(Command(cmd=f"{script(tmp_path, 'print(123)')} {{out}}"), sample, tmp_path / "out.mp4")
    assert "wrote no file" in message
    assert "123" in message


def test_program_gets_no_input(sample: Sample, tmp_path: Path) -> None:
    code = "import sys; print('got', repr(sys.stdin.read())); sys.exit(1)"
    message = failure(Command(cmd=f"{script(tmp_path, code)} {{out}}", timeout=20), sample, tmp_path / "out.mp4")
    assert message.endswith("got ''")


STUBBORN = """
    import os, signal, subprocess, sys, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = "import subprocess, sys, time; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(100)'])"
    child += "; print(p.pid, flush=True); time.sleep(100)"
    inner = subprocess.Popen([sys.executable, "-c", child], stdout=subprocess.PIPE, text=True)
    grandchild = inner.stdout.readline().strip()
    with open(sys.argv[1] + ".tmp", "w") as file:
        file.write(f"{os.getpid()} {inner.pid} {grandchild}")
    os.rename(sys.argv[1] + ".tmp", sys.argv[1])
    print("still working", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def pids(path: Path, within: float = 20.0) -> list[int]:
    """Wait for the file in which `STUBBORN` notes its processes and return their ids."""
    end = time.monotonic() + within
    while not path.is_file():
        assert time.monotonic() < end, "the program did not start"
        time.sleep(0.05)
    return [int(word) for word in path.read_text(encoding="utf-8").split()]


def test_time_limit_ends_the_program_with_its_children(sample: Sample, tmp_path: Path) -> None:
    note = tmp_path / "pids"
    command = Command(cmd=f"{script(tmp_path, STUBBORN)} {note} 100 {{out}}", timeout=3.0)
    begun = time.monotonic()
    message = failure(command, sample, tmp_path / "out.mp4")
    assert time.monotonic() - begun < 20
    assert "longer than 3 s" in message
    assert "still working" in message
    started = pids(note)
    assert len(started) == 3
    assert all(gone(pid) for pid in started)


def test_children_left_behind_by_a_program_that_ended_are_ended(sample: Sample, tmp_path: Path) -> None:
    note = tmp_path / "pids"
    command = Command(cmd=f"{script(tmp_path, STUBBORN)} {note} 0 {{out}}")
    assert "wrote no file" in failure(command, sample, tmp_path / "out.mp4")
    started = pids(note)
    assert all(gone(pid) for pid in started)


def test_close_ends_running_calls_with_their_children(sample: Sample, tmp_path: Path) -> None:
    note = tmp_path / "pids"
    command = Command(cmd=f"{script(tmp_path, STUBBORN)} {note} 100 {{out}}")
    errors: list[BaseException] = []

    def work() -> None:
        try:
            command.edit(sample, tmp_path / "out.mp4")
        except EditorError as error:
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    started = pids(note)
    command.close()
    thread.join(20)
    assert not thread.is_alive()
    assert all(gone(pid) for pid in started)
    assert len(errors) == 1
    assert "the run was stopped" in failure(command, sample, tmp_path / "out.mp4")


# -- registry ----------------------------------------------------------------------------------------------------------

PLUGIN = """
    from pathlib import Path
    import shutil

    class Painter:
        'Paints.'
        def __init__(self, *, strength: float = 0.5, steps: int = 4, fast: bool = False, where: Path | None = None,
                     tone: str = "warm") -> None:
            self.given = (strength, steps, fast, where, tone)

        def edit(self, sample, out):
            shutil.copyfile(sample.source_path, out)

    class Needy:
        def __init__(self, *, weights: Path) -> None:
            self.weights = weights

    class Broken:
        def __init__(self) -> None:
            raise RuntimeError("no GPU here")

    def function():
        pass
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module on the path with editors of somebody else; returns its name."""
    name = f"plugin_{abs(hash(tmp_path)) % 10**9}"
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / f"{name}.py").write_text(
        "from __future__ import annotations\n" + textwrap.dedent(PLUGIN), encoding="utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path / "site")
    return name


def entry_point(plugin: str, tmp_path: Path, line: str) -> None:
    """Install the module's metadata with one entry point."""
    info = tmp_path / "site" / f"{plugin}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {plugin}\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[sparkle_bench.editors]\n{line}\n", encoding="utf-8")


@pytest.mark.parametrize("name", list(EDITORS))
def test_every_built_in_editor_is_found(name: str) -> None:
    found = registry.find(name, EDITORS, group=editors.GROUP, what="model")
    assert callable(found.edit)
    assert (found.__doc__ or "").strip()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param("identiy", "did you mean identity?", id="near"),
        pytest.param("comand", "did you mean command?", id="another near"),
        pytest.param("zzz", "known: identity, folder, command", id="nothing near"),
        pytest.param("", "known: identity, folder, command", id="empty"),
    ],
)
def test_unknown_name_is_refused_with_near_misses(name: str, said: str) -> None:
    with pytest.raises(EditorError) as caught:
        editors.create(name, {})
    assert f"no model called {name!r}" in str(caught.value)
    assert said in str(caught.value)
    assert "module:Class" in str(caught.value)


def test_unknown_option_is_refused_with_the_known_ones() -> None:
    with pytest.raises(EditorError, match=r"Command has no option 'comand'; known: cmd, timeout"):
        editors.create("command", {"comand": "x"})


def test_option_of_an_editor_without_options_is_refused() -> None:
    with pytest.raises(EditorError, match=r"Identity has no option 'x'; known: none"):
        editors.create("identity", {"x": "1"})


@pytest.mark.parametrize(("name", "option"), [("command", "cmd"), ("folder", "path")])
def test_missing_option_is_named(name: str, option: str) -> None:
    with pytest.raises(EditorError, match=f"needs --option {option}="):
        editors.create(name, {})


def test_module_and_class_is_found_and_options_are_converted(plugin: str) -> None:
    given = {"strength": "0.25", "steps": "8", "fast": "Yes", "where": "/a/b", "tone": "7"}
    editor: Any = editors.create(f"{plugin}:Painter", given)
    assert editor.given == (0.25, 8, True, Path("/a/b"), "7")
    default: Any = editors.create(f"{plugin}:Painter", {})
    assert default.given == (0.5, 4, False, None, "warm")


@pytest.mark.parametrize(
    ("text", "value"), [("1", True), ("true", True), ("no", False), ("0", False), ("False", False)]
)
def test_truth_is_read_from_words(plugin: str, text: str, value: bool) -> None:
    editor: Any = editors.create(f"{plugin}:Painter", {"fast": text})
    assert editor.given[2] is value


@pytest.mark.parametrize(
    ("option", "text", "said"),
    [
        ("strength", "much", "option strength='much' is not a float"),
        ("steps", "4.5", "option steps='4.5' is not a int"),
        ("steps", "", "option steps='' is not a int"),
        ("fast", "maybe", "option fast='maybe' is neither true nor false"),
    ],
)
def test_option_of_another_type_is_refused(plugin: str, option: str, text: str, said: str) -> None:
    with pytest.raises(EditorError) as caught:
        editors.create(f"{plugin}:Painter", {option: text})
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("no_such_module_at_all:Painter", "cannot load no_such_module_at_all:Painter"),
        ("{plugin}:Nobody", "cannot load {plugin}:Nobody"),
        ("{plugin}:function", "{plugin}:function is not a class"),
        ("{plugin}:", "{plugin}:"),
        (":Painter", ":Painter"),
    ],
    ids=["no module", "no class", "not a class", "no name", "no module's name"],
)
def test_address_that_leads_nowhere_is_refused(plugin: str, address: str, said: str) -> None:
    with pytest.raises(EditorError) as caught:
        editors.create(address.format(plugin=plugin), {})
    assert said.format(plugin=plugin) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_plugin_with_an_error_in_its_code_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "plugin_with_a_typo.py").write_text("def broken(:\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SparkleError, match="cannot load plugin_with_a_typo:Painter"):
        editors.create("plugin_with_a_typo:Painter", {})


def test_editor_that_cannot_be_built_is_refused_in_one_line(plugin: str) -> None:
    with pytest.raises(SparkleError, match="no GPU here"):
        editors.create(f"{plugin}:Broken", {})


def test_missing_option_of_a_plugin_is_named(plugin: str) -> None:
    with pytest.raises(EditorError, match="Needy needs --option weights="):
        editors.create(f"{plugin}:Needy", {})


def test_entry_point_is_found_by_name(plugin: str, tmp_path: Path) -> None:
    entry_point(plugin, tmp_path, f"painter = {plugin}:Painter")
    editor: Any = editors.create("painter", {"steps": "9"})
    assert editor.given[1] == 9


def test_near_misses_include_entry_points(plugin: str, tmp_path: Path) -> None:
    entry_point(plugin, tmp_path, f"painter = {plugin}:Painter")
    with pytest.raises(EditorError, match=r"did you mean painter\?"):
        editors.create("paintr", {})


def test_built_in_name_wins_over_an_entry_point(plugin: str, tmp_path: Path) -> None:
    entry_point(plugin, tmp_path, f"identity = {plugin}:Painter")
    assert isinstance(editors.create("identity", {}), Identity)


# -- the editing stage -------------------------------------------------------------------------------------------------


@dataclass
class FakeEditor:
    """Copies the source, unless told to fail; notes what it was asked.

    Attributes:
        errors: What to raise, by sample id.
        contents: What to write instead of the source, by sample id.
        asked: Ids of the samples it was asked to edit, in order.
        outs: Where it was told to write.
        closed: How often it was closed.
        gate: If set, every call waits for it.
        entered: Set once a call has begun.
    """

    errors: dict[str, BaseException] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    outs: list[Path] = field(default_factory=list)
    closed: int = 0
    gate: threading.Event | None = None
    entered: threading.Event = field(default_factory=threading.Event)

    def edit(self, sample: Sample, out: Path) -> None:
        """Copy, write or raise."""
        self.entered.set()
        if self.gate is not None:
            assert self.gate.wait(30)
        self.asked.append(sample.id)
        self.outs.append(out)
        if sample.id in self.contents:
            out.write_bytes(self.contents[sample.id])
        else:
            shutil.copyfile(sample.source_path, out)
        if sample.id in self.errors:
            raise self.errors[sample.id]

    def close(self) -> None:
        """Note it."""
        self.closed += 1


def work_on(store: Store, samples: Sequence[Sample], **more: Any) -> Work:
    return Work(store=store, model="fake", samples=samples, **more)


def videos(store: Store) -> list[Path]:
    """Return every file below a result's videos."""
    return sorted(p for p in (store.model_dir("fake") / "videos").rglob("*") if p.is_file())


@pytest.mark.parametrize("workers", [1, 3])
def test_every_edit_is_recorded_with_its_video(store: Store, bench: Benchmark, workers: int) -> None:
    seen: list[str] = []
    totals: list[int] = []
    work = work_on(
        store,
        bench.samples,
        workers=workers,
        on_start=totals.append,
        on_record=lambda record: seen.append(record.sample_id),
    )
    editor = Identity()
    run.edit(work, editor)
    edits = store.edits("fake")
    assert totals == [8]
    assert sorted(seen) == sorted(edits) == sorted(s.id for s in bench.samples)
    for sample in bench.samples:
        edit = edits[sample.id]
        assert edit.ok
        assert edit.video == f"videos/{sample.edit_path}"
        path = store.model_dir("fake") / edit.video
        assert path == store.video_path("fake", sample)
        assert file_sha256(path) == edit.sha256 == sample.sha256
        assert edit.probe == video.probe(path)
    assert len(videos(store)) == 8


@pytest.mark.parametrize(
    ("error", "said"),
    [
        pytest.param(EditorError("out of credits"), "out of credits", id="EditorError"),
        pytest.param(RuntimeError("CUDA out\nof memory"), "RuntimeError: CUDA out of memory", id="RuntimeError"),
        pytest.param(KeyError("latents"), "KeyError: 'latents'", id="KeyError"),
        pytest.param(MemoryError(), "MemoryError", id="MemoryError"),
        pytest.param(StopIteration(), "StopIteration", id="StopIteration"),
        pytest.param(AssertionError(), "AssertionError", id="AssertionError"),
        pytest.param(RecursionError("deep"), "RecursionError: deep", id="RecursionError"),
        pytest.param(TimeoutError("slow"), "TimeoutError: slow", id="OSError"),
        pytest.param(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), "UnicodeDecodeError", id="UnicodeDecodeError"),
        pytest.param(type("Strange", (Exception,), {})("odd \udcff"), "Strange: odd", id="not encodable"),
    ],
)
def test_any_exception_becomes_the_samples_error(
    store: Store, samples: list[Sample], error: Exception, said: str
) -> None:
    editor = FakeEditor(errors={samples[0].id: error})
    run.edit(work_on(store, samples), editor)
    failed, good = (store.edits("fake")[s.id] for s in samples)
    assert not failed.ok
    assert failed.error is not None
    assert said in failed.error
    assert "\n" not in failed.error
    assert failed.error_type == type(error).__name__
    assert good.ok
    assert videos(store) == [store.video_path("fake", samples[1])]
    assert editor.closed == 1


def test_interruption_stops_the_run_and_keeps_what_is_done(store: Store, bench: Benchmark) -> None:
    third = bench.samples[2].id
    editor = FakeEditor(errors={third: KeyboardInterrupt()})
    with pytest.raises(KeyboardInterrupt):
        run.edit(work_on(store, bench.samples), editor)
    assert list(store.edits("fake")) == [s.id for s in bench.samples[:2]]
    assert editor.closed == 1
    again = FakeEditor()
    run.edit(work_on(store, bench.samples), again)
    assert again.asked == [s.id for s in bench.samples[2:]]
    assert [p for p in videos(store) if p.name.startswith(".")] == []
    assert len(videos(store)) == 8


@pytest.mark.parametrize(
    "content",
    [b"", b"not a video", bytes(5000)],
    ids=["empty", "text", "zeros"],
)
def test_rubbish_is_recorded_as_a_video_error(store: Store, samples: list[Sample], content: bytes) -> None:
    run.edit(work_on(store, samples), FakeEditor(contents={samples[0].id: content}))
    edit = store.edits("fake")[samples[0].id]
    assert edit.error_type == "VideoError"
    assert not store.video_path("fake", samples[0]).exists()
    assert store.edits("fake")[samples[1].id].ok


def test_rubbish_written_by_a_command_is_recorded_as_a_video_error(
    store: Store, samples: list[Sample], tmp_path: Path
) -> None:
    code = "import sys; open(sys.argv[1], 'w').write('rubbish')"
    run.edit(work_on(store, samples), Command(cmd=f"{script(tmp_path, code)} {{out}}"))
    assert [e.error_type for e in store.edits("fake").values()] == ["VideoError", "VideoError"]
    assert videos(store) == []


def test_editor_that_writes_nothing_is_an_error(store: Store, sample: Sample) -> None:
    class Lazy:
        """Writes nothing."""

        def edit(self, sample: Sample, out: Path) -> None:
            return

    run.edit(work_on(store, [sample]), Lazy())
    assert store.edits("fake")[sample.id].error_type == "VideoError"


def test_done_edits_are_not_made_again_and_failed_ones_are(store: Store, bench: Benchmark) -> None:
    bad = {bench.samples[n].id: EditorError("not today") for n in (1, 4)}
    first = FakeEditor(errors=dict(bad))
    run.edit(work_on(store, bench.samples), first)
    assert len(first.asked) == 8
    totals: list[int] = []
    second = FakeEditor()
    run.edit(work_on(store, bench.samples, on_start=totals.append), second)
    assert second.asked == list(bad)
    assert totals == [2]
    third = FakeEditor()
    run.edit(work_on(store, bench.samples), third)
    assert third.asked == []
    assert third.closed == 1
    assert all(edit.ok for edit in store.edits("fake").values())
    lines = (store.model_dir("fake") / "edits.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 10


@pytest.mark.parametrize("harm", ["deleted", "changed", "truncated", "folder deleted"])
def test_video_harmed_afterwards_is_made_again(store: Store, samples: list[Sample], harm: str) -> None:
    run.edit(work_on(store, samples), FakeEditor())
    path = store.video_path("fake", samples[0])
    if harm == "deleted":
        path.unlink()
    elif harm == "changed":
        makers.write_clip(path, seed=42)
    elif harm == "truncated":
        path.write_bytes(path.read_bytes()[:-1])
    else:
        shutil.rmtree(path.parent)
    editor = FakeEditor()
    run.edit(work_on(store, samples), editor)
    assert editor.asked == [samples[0].id]
    assert file_sha256(path) == store.edits("fake")[samples[0].id].sha256


def test_retry_that_fails_leaves_no_old_video(store: Store, sample: Sample) -> None:
    run.edit(work_on(store, [sample]), FakeEditor())
    path = store.video_path("fake", sample)
    makers.write_clip(path, seed=42)
    run.edit(work_on(store, [sample]), FakeEditor(errors={sample.id: EditorError("no")}))
    assert not store.edits("fake")[sample.id].ok
    assert not path.exists()


def test_leftover_parts_are_removed(store: Store, samples: list[Sample]) -> None:
    path = store.video_path("fake", samples[0])
    path.parent.mkdir(parents=True)
    leftover = path.with_name(f".{samples[0].id}.4711.part.mp4")
    leftover.write_bytes(b"half a video")
    run.edit(work_on(store, samples), FakeEditor())
    assert not leftover.exists()
    assert videos(store) == sorted(store.video_path("fake", s) for s in samples)


def test_editor_is_given_a_name_that_does_not_exist_yet(store: Store, sample: Sample) -> None:
    editor = FakeEditor()
    run.edit(work_on(store, [sample]), editor)
    (out,) = editor.outs
    assert out != store.video_path("fake", sample)
    assert out.suffix == ".mp4"
    assert out.parent == store.video_path("fake", sample).parent


def test_folder_whose_video_changes_is_read_again(store: Store, samples: list[Sample], tmp_path: Path) -> None:
    handed_in = makers.write_edits(tmp_path / "handed-in", samples)
    run.edit(work_on(store, samples), Folder(path=handed_in))
    before = store.edits("fake")
    makers.write_clip(handed_in / samples[1].edit_path, seed=300)
    run.edit(work_on(store, samples), Folder(path=handed_in))
    after = store.edits("fake")
    assert after[samples[0].id] == before[samples[0].id]
    assert after[samples[1].id].sha256 == file_sha256(handed_in / samples[1].edit_path)
    assert after[samples[1].id].sha256 != before[samples[1].id].sha256
    (handed_in / samples[1].edit_path).unlink()
    run.edit(work_on(store, samples), Folder(path=handed_in))
    assert store.edits("fake")[samples[0].id].ok
    assert store.edits("fake")[samples[1].id].error_type == "EditorError"


def test_folder_in_which_nothing_matches_stops_the_run(store: Store, samples: list[Sample], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SubmissionError, match="none of the 2 samples"):
        run.edit(work_on(store, samples), Folder(path=tmp_path / "empty"))
    assert store.edits("fake") == {}


def test_editor_that_is_not_thread_safe_runs_alone(store: Store, bench: Benchmark) -> None:
    class Counting:
        """Notes how many calls run at once."""

        def __init__(self) -> None:
            self.now, self.most = 0, 0

        def edit(self, sample: Sample, out: Path) -> None:
            self.now += 1
            self.most = max(self.most, self.now)
            time.sleep(0.02)
            shutil.copyfile(sample.source_path, out)
            self.now -= 1

    class Safe(Counting):
        """May run several at once."""

        thread_safe = True

    alone, beside = Counting(), Safe()
    run.edit(work_on(store, bench.samples, workers=4), alone)
    run.edit(Work(store=store, model="safe", samples=bench.samples, workers=4), beside)
    assert alone.most == 1
    assert beside.most > 1


# -- one name, one way -------------------------------------------------------------------------------------------------


def made(editor: Editor | None = None, name: str = "fake", **options: str) -> Made:
    return Made(editor=editor or FakeEditor(), name=name, options=options)


def test_run_json_says_how_the_edits_were_made(store: Store, bench: Benchmark) -> None:
    run.start(store, "fake", bench, made(steps="4"), now=NOW)
    written = store.read_run("fake")
    assert written is not None
    assert written["editor"].pop("options_hash")
    assert written["editor"] == {"name": "fake", "options": {"steps": "4"}}
    assert written["benchmark"] == {"name": "sparkle", "digest": bench.digest, "samples": 8, "partial": True}
    assert written["date"] == "2026-01-02T03:04:05+00:00"
    assert written["code_version"] == provenance.code_version()
    assert store.samples("fake") == list(bench.samples)


def test_same_name_and_options_go_on_and_keep_the_first_record(store: Store, bench: Benchmark) -> None:
    run.start(store, "fake", bench, made(steps="4"), now=NOW)
    before = (store.model_dir("fake") / "run.json").read_bytes()
    run.start(store, "fake", bench, made(steps="4"), now=datetime(2027, 1, 1, tzinfo=timezone.utc))
    assert (store.model_dir("fake") / "run.json").read_bytes() == before


@pytest.mark.parametrize(
    "other",
    [made(steps="8"), made(), made(steps="4", seed="1"), made(name="other", steps="4")],
    ids=["another value", "option left out", "option more", "another editor"],
)
def test_same_name_with_other_options_is_refused(store: Store, bench: Benchmark, other: Made) -> None:
    run.start(store, "fake", bench, made(steps="4"), now=NOW)
    with pytest.raises(StoreError, match="use another --name") as caught:
        run.start(store, "fake", bench, other, now=NOW)
    assert "steps" in str(caught.value)


def test_same_name_with_another_benchmark_is_refused(store: Store, bench: Benchmark) -> None:
    run.start(store, "fake", bench, made(), now=NOW)
    changed = (replace(bench.samples[0], instruction="Another."), *bench.samples[1:])
    with pytest.raises(StoreError, match="another version of the benchmark; use another --name"):
        run.start(store, "fake", replace(bench, samples=changed), made(), now=NOW)
    with pytest.raises(StoreError, match="another version of the benchmark"):
        run.start(store, "fake", replace(bench, samples=bench.samples[:4]), made(), now=NOW)


def test_folder_of_another_place_may_go_on(store: Store, bench: Benchmark, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    first, second = (Made(editor=Folder(path=tmp_path / n), name="folder", options={"path": n}) for n in "ab")
    run.start(store, "fake", bench, first, now=NOW)
    run.start(store, "fake", bench, second, now=NOW)
    written = store.read_run("fake")
    assert written is not None
    assert written["editor"]["options"] == {"path": "b"}, "the newest place counts"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "-a", ".hidden", "a b", "ü", "a" * 101])
def test_name_that_cannot_be_a_folder_is_refused(store: Store, bench: Benchmark, name: str) -> None:
    with pytest.raises(StoreError, match="cannot name a result"):
        run.start(store, name, bench, made(), now=NOW)
    assert not store.root.exists()


# -- two runs at once --------------------------------------------------------------------------------------------------


def shard(store: Store, bench: Benchmark, index: int, count: int) -> Work:
    chosen = select(bench, Selection(shard=(index, count)))
    return Work(store=store, model="fake", samples=chosen, shard=(index, count))


class Background:
    """A run in another thread, held open by its editor's gate."""

    def __init__(self, work: Work) -> None:
        self.editor = FakeEditor(gate=threading.Event())
        self.errors: list[BaseException] = []
        self.thread = threading.Thread(target=self._work, args=(work,), daemon=True)
        self.thread.start()
        assert self.editor.entered.wait(30)

    def _work(self, work: Work) -> None:
        try:
            run.edit(work, self.editor)
        except BaseException as error:
            self.errors.append(error)

    def finish(self) -> None:
        """Let it end."""
        assert self.editor.gate is not None
        self.editor.gate.set()
        self.thread.join(30)
        assert not self.thread.is_alive()
        assert self.errors == []


@pytest.mark.parametrize(
    ("first", "second"),
    [((0, 1), (0, 1)), ((0, 2), (0, 2)), ((0, 1), (1, 2)), ((1, 2), (0, 1)), ((0, 2), (2, 3))],
    ids=["whole twice", "one shard twice", "whole and shard", "shard and whole", "shards of two divisions"],
)
def test_two_runs_on_the_same_samples_are_refused(
    store: Store, bench: Benchmark, first: tuple[int, int], second: tuple[int, int]
) -> None:
    running = Background(shard(store, bench, *first))
    late = FakeEditor()
    with pytest.raises(StoreError, match="another run is at work on fake"):
        run.edit(shard(store, bench, *second), late)
    assert late.asked == []
    running.finish()
    run.edit(shard(store, bench, *second), late)
    assert {s.id for s in shard(store, bench, *second).samples} <= set(store.edits("fake"))


def test_two_shards_of_one_division_run_side_by_side(store: Store, bench: Benchmark) -> None:
    first = Background(shard(store, bench, 0, 2))
    second = Background(shard(store, bench, 1, 2))
    first.finish()
    second.finish()
    assert set(first.editor.asked).isdisjoint(second.editor.asked)
    assert sorted(store.edits("fake")) == sorted(s.id for s in bench.samples)
    assert len((store.model_dir("fake") / "edits.jsonl").read_text(encoding="utf-8").splitlines()) == 8


def test_two_models_run_side_by_side(store: Store, bench: Benchmark) -> None:
    running = Background(shard(store, bench, 0, 1))
    run.edit(Work(store=store, model="other", samples=bench.samples), FakeEditor())
    running.finish()
    assert len(store.edits("fake")) == len(store.edits("other")) == 8


HOLD = """
    import shutil, sys, time
    source, out, note = sys.argv[1:]
    open(note, "a").write("x")
    time.sleep(60)
"""


def test_lock_is_released_when_the_process_is_killed(store: Store, bench: Benchmark, tmp_path: Path) -> None:
    note = tmp_path / "note"
    command = [sys.executable, "-m", "sparkle_bench", "edit", "--model", "command", "--name", "fake"]
    command += ["--option", f"cmd={script(tmp_path, HOLD)} {{source}} {{out}} {shlex.quote(str(note))}"]
    command += ["--bench", str(bench.samples[0].root), "--root", str(store.root)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        end = time.monotonic() + 60
        while not note.is_file():
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < end
            time.sleep(0.05)
        with pytest.raises(StoreError, match="another run is at work on fake"):
            run.edit(work_on(store, bench.samples), FakeEditor())
    finally:
        held = children(process.pid)
        process.kill()
        process.communicate()
        for pid in held:
            os.kill(pid, signal.SIGKILL)
    editor = FakeEditor()
    run.edit(work_on(store, bench.samples), editor)
    assert len(editor.asked) == 8
    assert len(videos(store)) == 8


def children(pid: int) -> list[int]:
    """Return the ids of a process's children."""
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(word) for word in listed.read_text(encoding="utf-8").split()] if listed.exists() else []


def test_video_error_is_a_failure_of_one_sample(store: Store, samples: list[Sample]) -> None:
    run.edit(work_on(store, samples), FakeEditor(errors={samples[1].id: VideoError("cannot write x.mp4")}))
    edit = store.edits("fake")[samples[1].id]
    assert (edit.error, edit.error_type) == ("cannot write x.mp4", "VideoError")
