"""Cells that no spreadsheet takes for a formula: results, and so their names and texts, come from strangers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

FORMULA = ("=", "+", "-", "@")
"""How cells begin that spreadsheets run (OWASP, "CSV Injection")."""


def unarmed(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose texts and column names are on one line, with an apostrophe before one that begins a formula."""
    texts = frame.select_dtypes(include=["object", "string"]).columns
    safe: pd.DataFrame = frame.copy()
    for name in texts:  # value by value, since a table says the same many times
        found = {value: _text(value) for value in safe[name].unique()}
        safe[name] = safe[name].map(found)
    named: pd.DataFrame = safe.rename(columns=_text)
    return named


def _text(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    line = " ".join(value.split())
    return f"'{line}" if line.startswith(FORMULA) else line
