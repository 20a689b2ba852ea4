"""The README is true: every command shown is run, every command there is is shown."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparkle_bench import benchmark, editors
from sparkle_bench.cli import cli as commands
from sparkle_bench.editors import EDITORS
from sparkle_bench.editors import preset as presets
from tests import cli
from tests.fake_judge import FakeJudge, serving
from tests.makers import write_benchmark, write_edits

REPOSITORY = Path(__file__).parent.parent
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
CI = (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8")
LINES = [line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]
COMMANDS = [part.strip() for line in LINES for part in line.split(" && ")]
ELSEWHERE = ("sparkle-bench download", "sparkle-bench demo")
RUN_HERE = [
    c for c in COMMANDS if c.startswith("sparkle-bench ") and not c.startswith(ELSEWHERE) and not c.endswith("--serve")
]
BASH = "\n".join(re.findall(r"```bash\n(.*?)```", README, re.DOTALL))
NEEDS_MORE = [line for line in BASH.splitlines() if line.startswith("sparkle-bench ")]
"""Commands that need a GPU, a key or somebody's weights: nobody runs them here, but they are held against the options."""
RUN_BY_CI = [
    "pip install -e '.[dev]'",
    "pytest -n auto --dist loadfile",
    "ruff check .",
    "ruff format --check .",
    "mypy",
    "python -m tests.benchmarks.signals",
    "python -m tests.benchmarks.judging --short",
    "python -m tests.benchmarks.validating --short",
    "python -m tests.benchmarks.editing --clips 6",
    "python -m tests.benchmarks.boards --short",
    "python -m tests.fuzz_archives --minutes 0.2",
]
RUN_ELSEWHERE = {
    "pip install .": ("tests/test_packaging.py", '"pip", "install"'),
    "sparkle-bench demo": ("tests/conftest.py", '"demo", "--json"'),
    "sparkle-bench download": ("tests/test_download.py", '"download"'),
    "sparkle-bench judge my-videos --name my-model --serve": ("tests/test_vllm_judging.py", '"--serve"'),
    "vllm serve": ("tests/test_vllm.py", "vllm serve"),
    "SPARKLE_VLLM_PYTHON=path/to/python pytest -m vllm": (".ci/run", "pytest -m vllm"),
    "SPARKLE_EDITORS_PYTHON=path/to/python pytest -m editors": (".ci/run", "pytest -m editors"),
    "pytest -m ray": (".ci/run", "pytest -m ray"),
    "SPARKLE_CHROMIUM=/usr/bin/chromium pytest -m browser": (".ci/run", "pytest -m browser"),
}
"""Commands that need more than this file has: who runs them, and the words by which that can be seen."""

INFER = """
import argparse, pathlib, shutil
parser = argparse.ArgumentParser()
for name in ("--src", "--prompt", "--out"):
    parser.add_argument(name, required=True)
given = parser.parse_args()
shutil.copyfile(given.src, given.out)
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, FakeJudge]]:
    """A user's folder: the benchmark, finished videos, a model's script, and a judge."""
    folder = tmp_path_factory.mktemp("user")
    write_benchmark(folder / "data" / "Sparkle-Bench", samples_per_theme=1)
    samples = benchmark.load(folder / "data" / "Sparkle-Bench").samples
    write_edits(folder / "my-videos", samples)
    (folder / "infer.py").write_text(INFER, encoding="utf-8")
    with serving(FakeJudge()) as fake:  # the results that verify and check speak of
        judged = ["judge", "my-videos", "--name", "my-model", "--judge-url", fake.url, "--no-signals"]
        assert cli.run(*judged, cwd=folder).returncode == 0
    with serving(FakeJudge()) as fake:
        yield folder, fake


@pytest.mark.parametrize("command", RUN_HERE)
def test_a_command_of_the_readme_runs(command: str, place: tuple[Path, FakeJudge]) -> None:
    folder, fake = place
    real = command.replace("http://127.0.0.1:8000/v1", fake.url).replace("Sparkle_time_000367", "Sparkle_time_000001")
    real = real.replace("python infer.py", f"{sys.executable} infer.py")
    name = re.search(r"--name (\S+)", real)
    if name:  # the README uses one name for two examples; a result has one maker
        real = real.replace(name[0], f"--name {name[1]}-{shlex.split(real)[1]}")
    real = real.replace("export my-model", "export my-model-judge")
    if real == "sparkle-bench check":  # a result that nobody judged is no entry
        shutil.rmtree(folder / "results" / "my-model-edit", ignore_errors=True)
    done = cli.run(*shlex.split(real)[1:], cwd=folder)
    few = 3 if "--rejudge" in command else 0  # four samples are too few to tell
    assert done.returncode == few, done.stdout + done.stderr
    assert done.stdout.strip()
    (folder / "my-videos" / "submission.toml").unlink(missing_ok=True)  # one to fill in is not filled in here


def test_every_other_command_of_the_readme_is_run_somewhere() -> None:
    for command in COMMANDS:
        if command in RUN_HERE:
            continue
        if command in RUN_BY_CI:
            assert command in CI, f".ci/run does not run {command!r}"
            continue
        found = [place for start, place in RUN_ELSEWHERE.items() if command.startswith(start)]
        assert found, f"nothing runs {command!r}"
        file, words = found[0]
        assert words in (REPOSITORY / file).read_text(encoding="utf-8"), f"{file} does not run {command!r}"


@pytest.mark.parametrize("command", NEEDS_MORE)
def test_a_command_that_needs_more_than_this_machine_is_at_least_understood(command: str) -> None:
    name, *words = shlex.split(command.replace("$SLURM_ARRAY_TASK_ID", "0"))[1:]
    given = commands.commands[name].make_context(name, words).params
    model = given.get("model") or given.get("name")
    assert model in [*presets.names(), "./my-model.toml"]


def test_the_readmes_preset_is_one(tmp_path: Path) -> None:
    (shown,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    (tmp_path / "my-model.toml").write_text(shown, encoding="utf-8")
    for name in ("checkout/infer.py", "weights.safetensors"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    options = {
        "checkout": str(tmp_path / "checkout"),
        "python": sys.executable,
        "weights": str(tmp_path / "weights.safetensors"),
    }
    editor = editors.create(str(tmp_path / "my-model.toml"), options)
    assert editors.declared(editor)["model"] == {"name": "MyModel", "parameters": 5_000_000_000}


def test_every_editing_model_is_in_the_readme_and_no_other() -> None:
    _, _, table = README.partition("| models | what runs | to begin |\n|---|---|---|\n")
    rows = [line.split("|")[1] for line in table.partition("\n\n")[0].splitlines()]
    named = {name for row in rows for name in re.findall(r"`([^`]+)`", row)}
    assert named == {*EDITORS, *presets.names()}


def test_the_two_commands_for_a_fresh_machine_come_first() -> None:
    assert LINES[0].startswith("pip install .")
    assert LINES[0].endswith("sparkle-bench demo")
    assert "pip install -e '.[dev]' && pytest -n auto --dist loadfile" in LINES[:3]


def test_every_command_is_in_the_readme() -> None:
    for name in commands.commands:
        assert f"sparkle-bench {name}" in README


@pytest.mark.parametrize("name", ["", *commands.commands])
def test_every_command_explains_itself(name: str, tmp_path: Path) -> None:
    done = cli.run(*filter(None, [name]), "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith(f"Usage: sparkle-bench {name}".strip())


def test_exit_codes_and_environment_variables_are_in_the_readme() -> None:
    source = subprocess.run(
        ["git", "grep", "-hoE", "SPARKLE_[A-Z_]+", "--", "sparkle_bench"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    assert source.strip()
    for variable in set(source.split()):
        assert variable in README
