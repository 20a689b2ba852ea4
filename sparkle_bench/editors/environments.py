"""Environments of their own, for models whose libraries fit no other's: making one, and knowing which are ready.

    <home>/<model>/env         a virtual environment
    <home>/<model>/model       the model's weights, where they had to be turned into another form
    <home>/<model>/setup.json  written last: what is there without it does not count

The home is `~/.cache/sparkle-bench` unless told otherwise.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparkle_bench import discretion, disk
from sparkle_bench.errors import EditorError, StoreError, one_line

BORROWED = ("numpy>=1.26,<3", "pillow>=9.4,<14", "av>=12,<20", "tomli>=2,<3; python_version < '3.11'")
"""What this package itself needs to decode, fit and write clips in that environment."""
BORROWED_MODULES = ("numpy", "PIL", "av")
OLDEST = (3, 10)
LAST_LINES, MOST_TEXT = 8, 600
"""How much is kept of what a program printed: lines, and characters in an error's text."""
_NAME = re.compile(r"\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)")
_VERSIONS = """
import importlib, importlib.metadata, json, sys
owners = importlib.metadata.packages_distributions()
found = {}
for name in sys.argv[1:]:
    module = importlib.import_module(name)
    owner = owners.get(name.split(".")[0], [name])[0]
    try:
        found[name] = importlib.metadata.version(owner)
    except importlib.metadata.PackageNotFoundError:
        found[name] = str(getattr(module, "__version__", "unknown"))
print(json.dumps(found))
"""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """An environment that can be used.

    Attributes:
        python: Its interpreter.
        model_path: The folder of the model's weights; None if none was made or named for it.
    """

    python: Path
    model_path: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What an environment is made of.

    Attributes:
        name: The model's.
        requirements: For `pip`.
        libraries: Modules that must be importable in it.
        python: The interpreter that makes it.
        pip: More words for `pip install`; not recorded, since an address may hold a password.
    """

    name: str
    requirements: tuple[str, ...]
    libraries: tuple[str, ...]
    python: Path
    pip: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a program ended.

    Attributes:
        code: Its exit code; below zero, the signal that ended it.
        last: The last lines that it printed.
    """

    code: int
    last: tuple[str, ...]

    @property
    def text(self) -> str:
        """Its last lines on one, without folders of this machine; where they are long, the end of them."""
        whole = one_line(discretion.cleaned(" | ".join(self.last)), limit=1 << 20)
        return whole if len(whole) <= MOST_TEXT else f"…{whole[1 - MOST_TEXT :]}"

    @property
    def why(self) -> str:
        """How it ended, in words."""
        how = f"it was ended by signal {-self.code}" if self.code < 0 else f"it ended with code {self.code}"
        return f"{how}: {self.text or 'it printed nothing'}"


def place(name: str, home: Path | None = None) -> Path:
    """Return the folder of all that was made for a model."""
    return (home or Path.home() / ".cache" / "sparkle-bench") / name


def ready(name: str, home: Path | None = None) -> Ready | None:
    """Return the environment that was made for a model, or None if there is none that can be used."""
    data = _read(place(name, home))
    python, model = data.get("python"), data.get("model_path")
    if not isinstance(python, str) or not Path(python).is_file():
        return None
    there = isinstance(model, str) and Path(model).is_dir()
    return Ready(python=Path(python), model_path=Path(str(model)) if there else None)


def versions(name: str, home: Path | None = None) -> dict[str, str]:
    """Return the libraries' versions in a model's environment, as they were when it was made."""
    found = _read(place(name, home)).get("versions")
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def with_overrides(requirements: Sequence[str], overrides: Sequence[str]) -> tuple[str, ...]:
    """Return the requirements, each replaced by the override of the same name; overrides of other names come last.

    Raises:
        EditorError: An override names no package.
    """
    chosen = {_package(text): text for text in overrides}
    kept = [chosen.pop(_package(text), text) for text in requirements]
    return (*kept, *chosen.values())


def _package(requirement: str) -> str:
    found = _NAME.match(requirement)
    if found is None:
        raise EditorError(f"{requirement!r} is no requirement; it looks like torch==2.7.0")
    return re.sub(r"[-_.]+", "-", found[1]).lower()


@contextmanager
def alone(name: str, home: Path | None = None) -> Iterator[Path]:
    """Yield the folder of all that was made for a model; nobody else may make something there meanwhile.

    Raises:
        EditorError: Somebody does.
        StoreError: The folder cannot be made.
    """
    folder = place(name, home)
    with ExitStack() as stack:
        try:
            stack.enter_context(disk.held(folder / ".lock", wait=False))
        except disk.Busy as error:
            raise EditorError(f"another setup of {name} is at work in {folder}; wait for it") from error
        yield folder


def make(wish: Wish, folder: Path, say: Say) -> Ready:
    """Make a model's environment, or go on with it, or find that it is there.

    An environment on which `pip` was killed is thrown away: what it had written cannot be told from what it had not.

    Args:
        wish: What it is made of.
        folder: Of all that is made for the model; see `alone`.
        say: Told what goes on, a line at a time.

    Raises:
        EditorError: The interpreter is too old or missing, `pip` fails, or a library cannot be imported afterwards.
    """
    wanted = [*BORROWED, *wish.requirements]
    environment, before = folder / "env", _read(folder)
    python, unfinished = interpreter(environment), folder / ".installing"
    if before.get("requirements") == wanted and python.is_file() and before.get("python") == str(python):
        try:
            _note(folder, versions=_versions(wish, python))
        except EditorError as error:
            say(f"the environment is damaged and made anew: {error}")
            shutil.rmtree(environment, ignore_errors=True)
        else:
            say(f"the environment is there: {environment}")
            return _there(wish, folder)
    _forget(folder)
    _check_interpreter(wish.python)
    if unfinished.exists():
        say("an earlier setup was stopped while it installed; the environment is made anew")
        shutil.rmtree(environment, ignore_errors=True)
        unfinished.unlink()
    if not python.is_file():
        say(f"making {environment}")
        _make_empty(wish, environment)
    say(f"installing {', '.join(wish.requirements)}")
    unfinished.touch()
    _install(wish, wanted, python, say, unfinished)
    say("importing what was installed")
    found = _versions(wish, python)
    _note(folder, python=str(python), requirements=wanted, versions=found)
    return _there(wish, folder)


def keep_model(folder: Path, model: Path) -> None:
    """Note where a model's weights are."""
    _note(folder, model_path=str(model.absolute()))


def interpreter(environment: Path) -> Path:
    """Return where an environment's interpreter is, or would be."""
    return (environment / "bin" / "python").absolute()


def call(words: Sequence[str | Path], say: Say, *, cwd: Path | None = None) -> Ended:
    """Run a program to its end and hand on what it prints, line by line.

    Raises:
        EditorError: It cannot start.
    """
    last: list[str] = []
    try:
        process = subprocess.Popen(
            [str(word) for word in words],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
    except OSError as error:
        raise EditorError(f"cannot run {words[0]}: {error.strerror}") from error
    with process:
        try:
            for line in process.stdout or ():
                if line.strip():
                    last = [*last[1 - LAST_LINES :], line.strip()]
                    say(f"  {line.rstrip()}")
            code = process.wait()
        finally:
            process.kill()
    return Ended(code=code, last=tuple(last))


def _there(wish: Wish, folder: Path) -> Ready:
    found = ready(wish.name, folder.parent)
    if found is None:
        raise EditorError(f"the environment of {wish.name} was removed while it was made; run the same command again")
    return found


def _check_interpreter(python: Path) -> None:
    code = f"import sys; print('%d.%d' % sys.version_info[:2], sys.version_info[:2] >= {OLDEST})"
    ended = call([python, "-I", "-c", code], _quietly)
    version, _, new_enough = ended.text.partition(" ")
    if ended.code or new_enough not in ("True", "False"):
        raise EditorError(f"{python} is no Python that runs: {ended.why}")
    if new_enough == "False":
        raise EditorError(f"{python} is Python {version}; the environment needs 3.10 or newer: pass another --python")


def _make_empty(wish: Wish, environment: Path) -> None:
    shutil.rmtree(environment, ignore_errors=True)
    ended = call([wish.python, "-I", "-m", "venv", environment], _quietly)
    if ended.code:
        shutil.rmtree(environment, ignore_errors=True)
        raise EditorError(
            f"{wish.python} cannot make a virtual environment: {ended.why}; on Debian and Ubuntu that needs the package "
            "python3-venv; or pass another --python"
        )


def _install(wish: Wish, wanted: Sequence[str], python: Path, say: Say, unfinished: Path) -> None:
    fixed = ("--disable-pip-version-check", "--no-input", "--progress-bar", "off")
    ended = call([python, "-I", "-m", "pip", "install", *fixed, *wish.pip, *wanted], say)
    if ended.code >= 0:  # one that failed by itself has put back what it replaced
        unfinished.unlink(missing_ok=True)
    if ended.code:
        raise EditorError(
            f"pip cannot install what {wish.name} needs: {ended.why}; run the same command again, with --requirement for "
            "another version or --pip-arg for another index if need be"
        )


def _versions(wish: Wish, python: Path) -> dict[str, str]:
    """Import the libraries in an environment and return their versions."""
    ended = call([python, "-I", "-c", _VERSIONS, *BORROWED_MODULES, *wish.libraries], _quietly)
    try:
        found: dict[str, str] = json.loads(ended.last[-1] if ended.last and not ended.code else "")
    except ValueError as error:
        hint = ""
        if "torchvision::" in ended.why:
            hint = "; torchvision is built for another torch: pass both with --requirement, from one index"
        raise EditorError(f"what was installed for {wish.name} cannot be imported: {ended.why}{hint}") from error
    return found


def _quietly(_: str) -> None:
    """Say nothing."""


def _forget(folder: Path) -> None:
    """Let the environment no longer count while it is changed; where the weights are is kept."""
    kept = {name: value for name, value in _read(folder).items() if name == "model_path"}
    disk.write(folder / "setup.json", disk.pretty(kept))


def _read(folder: Path) -> Mapping[str, Any]:
    try:
        return disk.read_json(folder / "setup.json") or {}
    except StoreError:
        return {}  # as good as none: it is made again


def _note(folder: Path, **what: Any) -> None:
    disk.write(folder / "setup.json", disk.pretty({**_read(folder), **what}))
