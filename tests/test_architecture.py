"""The agreed shape, held by reading the source: layers, owners of heavy libraries, sizes, docstrings, a light start."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import sparkle_bench

PACKAGE = Path(sparkle_bench.__file__).parent
MOST_LINES = 400
MOST_LINES_OF_A_FUNCTION = 60

LAYERS: dict[str, int] = {
    "": 0,  # the package itself: its version
    "errors": 0,
    "rubric": 1,
    "records": 2,
    "benchmark": 3,
    "prompts": 3,
    "video": 3,
    "store": 3,
    "signals": 4,
    "synthetic": 4,
    "workers": 4,
    "asked": 4,
    "provenance": 4,
    "cluster": 4,
    "discretion": 1,
    "nvidia": 1,
    "disk": 1,
    "registry": 4,
    "submission": 4,
    "download": 5,
    "editors": 5,
    "judges": 5,
    "run": 6,
    "scoring": 6,
    "stats": 7,
    "audit": 7,
    "leaderboard": 8,
    "plots": 8,
    "report": 8,
    "doctor": 8,
    "exchange": 8,
    "validation": 8,
    "bundle": 9,
    "verification": 9,
    "demo": 9,
    "cli": 10,
    "__main__": 11,
}
"""The table of the architecture: a unit is a module or a package of the first level."""

NEIGHBOURS = {
    ("leaderboard", "plots"),  # a board is written with its figures
    ("leaderboard", "report"),  # and its page
}
"""Imports inside a layer that are meant; those inside one unit are always allowed."""

OWNERS: dict[str, set[str]] = {
    "torch": {"editors", "judges"},
    "diffusers": {"editors", "judges"},
    "transformers": {"editors", "judges"},
    "accelerate": {"editors", "judges"},
    "vllm": {"judges"},
    "qwen_vl_utils": {"judges"},
    "httpx": {"judges", "editors"},
    "ray": {"cluster", "editors", "judges"},
    "PIL": {"video", "editors", "judges"},
    "pandas": {"scoring", "stats", "leaderboard", "plots", "report", "cli"},
    "matplotlib": {"plots"},
    "jinja2": {"prompts", "report"},
    "click": {"cli"},
    "tqdm": {"cli"},
    "decord": {"video"},
    "av": {"video"},
    "cv2": {"video", "signals", "synthetic"},
    "datasets": {"benchmark"},
    "huggingface_hub": {"download"},
    "filelock": {"disk"},
    "threadpoolctl": {"signals"},
    "krippendorff": {"stats"},
    "scipy": {"stats"},
}

PURE = {"errors", "rubric", "records", "scoring", "stats", "audit"}
DOES_IO = {"io", "os", "subprocess", "shutil", "socket", "urllib", "tempfile", "sqlite3"}
HEAVY = [
    "torch", "transformers", "vllm", "pandas", "matplotlib", "decord", "av", "cv2", "datasets", "huggingface_hub",
    "httpx", "jinja2", "diffusers", "ray", "PIL",
]  # fmt: skip


class Import(NamedTuple):
    """One imported module, in full, and the line of the statement."""

    module: str
    line: int


def sources() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if "_data" not in path.parts)


SOURCES = {path.relative_to(PACKAGE).as_posix(): path for path in sources()}
each_source = pytest.mark.parametrize("path", SOURCES.values(), ids=SOURCES)


def unit(path: Path) -> str:
    """The first level of a file: `judges` for `judges/probe.py`, nothing for the package's own file."""
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "" if first == "__init__" else first


def own_modules() -> set[str]:
    names = {name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in SOURCES}
    return {f"sparkle_bench.{name}" for name in names if name != "__init__"} | {"sparkle_bench"}


OWN = own_modules()


def at_run_time(node: ast.AST) -> Iterator[ast.AST]:
    """Every node but those that only type checkers see."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            for other in child.orelse:
                yield other
                yield from at_run_time(other)
            continue
        yield child
        yield from at_run_time(child)


def imports(path: Path) -> list[Import]:
    """Every module that a file imports at run time, inside functions too; `from a import b` is `a.b` if that is one."""
    found = []
    for node in at_run_time(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [Import(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            full = [f"{node.module}.{alias.name}" for alias in node.names]
            found += [Import(name if name in OWN else str(node.module), node.lineno) for name in full]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                found.append(Import(first.value, node.lineno))
    return found


# -- the reader of sources itself ------------------------------------------------------------------------------------


def test_imports_inside_functions_are_seen_and_those_for_type_checkers_are_not(tmp_path: Path) -> None:
    file = tmp_path / "example.py"
    file.write_text(
        "from typing import TYPE_CHECKING\n"
        "from sparkle_bench import __version__, store\n"
        "from sparkle_bench.records import Edit\n"
        "if TYPE_CHECKING:\n    import torch\nelse:\n    import cv2\n"
        "def work():\n    try:\n        import av.video\n    except ImportError:\n        from click import echo\n"
        "    import_module('vllm.entry')\n",
        encoding="utf-8",
    )
    assert [found.module for found in imports(file)] == [
        "typing", "sparkle_bench", "sparkle_bench.store", "sparkle_bench.records", "cv2", "av.video", "click",
        "vllm.entry",
    ]  # fmt: skip


def test_every_file_of_the_package_is_looked_at() -> None:
    assert {"errors.py", "rubric/__init__.py", "cli/__init__.py", "judges/probe.py", "report/__init__.py"} <= set(
        SOURCES
    )
    assert "sparkle_bench.judges.probe" in OWN


# -- layers and owners -----------------------------------------------------------------------------------------------


def test_every_module_has_its_layer() -> None:
    assert {unit(path) for path in SOURCES.values()} <= set(LAYERS)


@each_source
def test_a_module_imports_only_from_lower_layers(path: Path) -> None:
    here = unit(path)
    wrong = []
    for found in imports(path):
        if not found.module.startswith("sparkle_bench"):
            continue
        there = found.module.removeprefix("sparkle_bench").removeprefix(".").split(".")[0]
        if there != here and (here, there) not in NEIGHBOURS and LAYERS[there] >= LAYERS[here]:
            wrong.append(f"line {found.line}: {here} (layer {LAYERS[here]}) imports {there} (layer {LAYERS[there]})")
    assert wrong == []


@each_source
def test_a_heavy_library_is_imported_by_its_owners_alone(path: Path) -> None:
    here = unit(path)
    used = [(found.module.split(".")[0], found.line) for found in imports(path)]
    assert [(name, line) for name, line in used if name in OWNERS and here not in OWNERS[name]] == []


@pytest.mark.parametrize("name", [name for name, path in SOURCES.items() if unit(path) in PURE])
def test_a_pure_module_reaches_for_nothing_outside_itself(name: str) -> None:
    assert [found for found in imports(SOURCES[name]) if found.module.split(".")[0] in DOES_IO] == []
    nodes = ast.walk(ast.parse(SOURCES[name].read_text(encoding="utf-8")))
    calls = {ast.unparse(node.func).rpartition(".")[2] for node in nodes if isinstance(node, ast.Call)}
    assert calls & {"open", "read_text", "write_text", "read_bytes", "write_bytes", "print", "unlink", "mkdir"} == set()


@each_source
def test_environment_variables_are_read_in_the_command_line_alone(path: Path) -> None:
    reads = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "environb", "getenv"):
            reads.append(node.lineno)
        elif isinstance(node, ast.ImportFrom) and node.module == "os":
            reads += [node.lineno for alias in node.names if alias.name in ("environ", "environb", "getenv")]
    assert reads == [] or unit(path) == "cli"


@each_source
def test_paths_into_results_are_built_by_the_store_alone(path: Path) -> None:
    """A path is a name joined with `/` or given to `Path` or `glob`; a message may mention the folder."""
    built: list[str] = []
    tree = ast.parse(path.read_text(encoding="utf-8"))
    told = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    for node in ast.walk(tree):
        parts: list[ast.expr] = []
        if id(node) in told:
            continue
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            parts = [node.left, node.right]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in (
            "Path", "PurePath", "joinpath", "glob", "rglob", "open",
        ):  # fmt: skip
            parts = node.args
        words = [part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)]
        built += [word for word in words if word.split("/")[0] == "results"]
    assert (built == []) == (unit(path) != "store")


# -- sizes and words -------------------------------------------------------------------------------------------------


@each_source
def test_a_module_opens_with_a_docstring(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert docstring
    assert docstring.splitlines()[0].strip().endswith((".", "?", ":"))


@each_source
def test_functions_and_files_stay_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) < MOST_LINES
    lengths = {
        node.name: (node.end_lineno or 0) - node.lineno + 1
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: length for name, length in lengths.items() if length >= MOST_LINES_OF_A_FUNCTION} == {}


# -- a light start ---------------------------------------------------------------------------------------------------

STARTS: dict[str, str] = {
    "import": "import sparkle_bench",
    "command line": "import sparkle_bench.cli",
    "help": "from sparkle_bench.cli import cli; cli(['--help'], standalone_mode=False)",
    "version": "from sparkle_bench.cli import cli; cli(['--version'], standalone_mode=False)",
    "help of eval": "from sparkle_bench.cli import cli; cli(['eval', '--help'], standalone_mode=False)",
    "help of leaderboard": "from sparkle_bench.cli import cli; cli(['leaderboard', '--help'], standalone_mode=False)",
}


@pytest.mark.parametrize("code", STARTS.values(), ids=STARTS)
def test_starting_loads_nothing_heavy(code: str) -> None:
    report = f"import sys; print('loaded:', [name for name in {HEAVY} if name in sys.modules])"
    command = [sys.executable, "-c", f"{code}\n{report}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "loaded: []"


def test_the_console_script_shows_its_help_without_loading_anything_heavy() -> None:
    script = Path(sys.executable).parent / "sparkle-bench"
    command = [sys.executable, "-X", "importtime", str(script), "--help"]
    if not script.is_file():
        command = [sys.executable, "-X", "importtime", "-m", "sparkle_bench", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "click" in loaded
    assert "leaderboard" in done.stdout
    assert loaded & set(HEAVY) == set()
