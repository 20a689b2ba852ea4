"""The wheel holds what the program needs: `pip install .` into an empty environment, then a run far from the checkout."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(folder),
        str(REPOSITORY),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return next(folder.glob("sparkle_bench-*.whl"))


def test_prompts_and_templates_are_in_the_wheel(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for name in (
        "sparkle_bench/_data/prompts/sparkle/rubric.toml",
        "sparkle_bench/judges/presets/qwen3-vl-32b.toml",
        "sparkle_bench/_data/prompts/sparkle/judge.md.j2",
        "sparkle_bench/report/templates/board.html.j2",
        "sparkle_bench/submission/template.toml",
        "sparkle_bench/py.typed",
    ):
        assert name in names
    assert not [name for name in names if name.startswith(("tests/", "results/", "leaderboards/"))]


def test_the_installed_package_finds_its_prompts_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    target = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target), str(wheel)]
    subprocess.run(install, check=True, capture_output=True, timeout=300)
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\n"
        "import sparkle_bench, sparkle_bench.prompts as prompts\n"
        "assert Path(sparkle_bench.__file__).is_relative_to(sys.argv[1]), sparkle_bench.__file__\n"
        "print(prompts.folder('sparkle', Path()), len(prompts.load_prompt('sparkle', root=Path()).rubric.keys))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", script, str(target)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    where, count = done.stdout.split()
    assert Path(where) == target / "sparkle_bench" / "_data" / "prompts" / "sparkle"
    assert count == "6"
