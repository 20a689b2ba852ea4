"""A worker's folder: what of this package its interpreter may import, and the modules that it downloads."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import sparkle_bench

# The interpreter is given the folder: it then looks there first, and needs no PYTHONPATH, which programs that the editor
# starts would find in their environment.
_MAIN = """\
import sys
if sys.version_info < (3, 10):
    sys.exit("a worker needs Python 3.10 or newer, and this is " + sys.version.split()[0])
if __name__ == "__main__":
    from sparkle_bench.editors.worker.__main__ import main
    main()
"""
_NOT_FOR_WORKERS = ("SPARKLE_JUDGE_API_KEY", "SPARKLE_JUDGE_URL")
_ANOTHERS = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PYTHONSTARTUP")


def made(packages: Iterable[str]) -> Path:
    """Make the folder and return it.

    Only this package, and the modules or packages that hold the editor's class, are seen from there; nothing else of the
    harness's environment can get in the way of the model's.
    """
    home = Path(tempfile.mkdtemp(prefix="sparkle-worker-"))
    code = home / "code"
    code.mkdir()
    (code / "__main__.py").write_text(_MAIN, encoding="utf-8")
    _lend(Path(sparkle_bench.__file__).parent, code)
    for top in packages:
        file = getattr(sys.modules.get(top), "__file__", None)
        if top != sparkle_bench.__name__ and file is not None:
            _lend(Path(file).parent if Path(file).name == "__init__.py" else Path(file), code)
    return home


def _lend(found: Path, code: Path) -> None:
    place = code / found.name
    try:
        place.symlink_to(found.resolve(), target_is_directory=found.is_dir())
    except (OSError, NotImplementedError):  # a file system or system without links
        if found.is_dir():
            shutil.copytree(found, place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(found, place)


def words(home: Path, python: Path, settings: Mapping[str, str]) -> list[str]:
    """Return the command line of a worker; `env` changes a few variables and leaves the others as they are.

    `env` takes a program with `=` in its path for one more variable, so a shell stands between them then.
    """
    away = [*_NOT_FOR_WORKERS, *(() if is_ours(python) else _ANOTHERS)]
    given = {"HF_MODULES_CACHE": str(home / "modules"), "PYTHONUNBUFFERED": "1", **settings}
    return [
        shutil.which("env") or "/usr/bin/env",
        *(word for name in away for word in ("-u", name)),
        *(f"{name}={value}" for name, value in given.items()),
        *(("/bin/sh", "-c", 'exec "$0" "$@"') if "=" in str(python) else ()),
        str(python),
        str(home / "code"),
    ]


def is_ours(python: Path) -> bool:
    """Whether an interpreter is the one that runs this; it then finds all that we find."""
    return str(python) == sys.executable
