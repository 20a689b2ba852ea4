"""Texts with placeholders such as `{instruction}`: what is known, what a text uses, and putting values in. Pure.

Values are data: what they hold, braces included, is never looked at again.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Mapping
from typing import Any

CLIP = ("source", "file", "instruction", "out", "id", "theme", "subtheme", "scene")
"""What each clip has its own of."""
SHAPE = ("width", "height", "frames", "fps")
"""What the clips of one call share: that which the program is given."""
CALL = ("folder", "sources", "jobs", "port")
"""What each call has its own of."""
FIXED = ("checkout", "python", "drivers", "seed", "steps", "guidance")
"""What an editor is built with."""
KNOWN = (*CLIP, *SHAPE, *CALL, *FIXED)

_PLACEHOLDER = re.compile(r"\{(\w+)\}")

Values = Mapping[str, str | int | float | bool]


def used(value: Any) -> set[str]:
    """Return the placeholders in a text, or in all texts of a list or table."""
    if isinstance(value, str):
        return set(_PLACEHOLDER.findall(value))
    if isinstance(value, Mapping):
        return set().union(*(used(key) | used(item) for key, item in value.items()))
    if isinstance(value, list | tuple):
        return set().union(*map(used, value))
    return set()


def text(template: str, values: Values) -> str:
    """Return a text with its values put in."""
    return _PLACEHOLDER.sub(lambda found: shown(values[found[1]]), template)


def pattern(template: str, values: Values) -> str:
    """Return a glob pattern with its values put in; only the template's own `*`, `?` and `[…]` stand for something."""
    return _PLACEHOLDER.sub(lambda found: glob.escape(shown(values[found[1]])), template)


def is_pattern(template: str) -> bool:
    """Whether a template is a glob pattern and not one path."""
    return glob.has_magic(_PLACEHOLDER.sub("", template))


def data(value: Any, values: Values) -> Any:
    """Return a list or table with its values put in; a text that is one placeholder becomes the value, numbers included."""
    if isinstance(value, str):
        whole = _PLACEHOLDER.fullmatch(value)
        return values[whole[1]] if whole else text(value, values)
    if isinstance(value, Mapping):
        return {text(key, values): data(item, values) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [data(item, values) for item in value]
    return value


def shown(value: str | int | float | bool) -> str:
    """Return a value as a command line has it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.10g}" if isinstance(value, float) else str(value)
