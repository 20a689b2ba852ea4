"""Keeping secrets and this machine's folders out of what is recorded: results are for publishing. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

HIDDEN = "[hidden]"
# A name that ends so holds a secret; `--max-tokens`, `--tokenizer` and `--key-frames` do not.
_SECRET_NAME = re.compile(
    r"(?:token|api[-_]?key|(?:^|[-_])key|secret|password|passwd|pwd|bearer|credential)$", re.IGNORECASE
)
_IN_TEXT = [
    re.compile(r"\b(?:sk|pk|rk|hf|gsk|r8|ghp|gho|ghs|glpat|github_pat|xox[abp])[-_][A-Za-z0-9_\-/+]{6,}"),
    re.compile(r"\bAKIA[0-9A-Z]{12,}|\bAIza[0-9A-Za-z_-]{20,}|\beyJ[0-9A-Za-z_-]{10,}\.[0-9A-Za-z_.-]+"),
    re.compile(r"(?<=://)[^/@\s:]+:[^/@\s]+(?=@)"),
    re.compile(r"(?i)(?<=bearer )\S+"),
    re.compile(
        r"(?i)(?<![A-Za-z])(?:[\w-]*(?:token|api[-_]?key|secret|password|passwd))(?P<sign>[=:] ?)(?P<value>[^\s&'\",;]+)"
    ),
]
_FOLDERS = re.compile(r"(?:(?<![\w./])|(?<=file://))~?/(?:[\w.+@-]+/)*(?=[\w.+@-])")
_DRIVES = re.compile(r"(?<![A-Za-z])[A-Za-z]:\\(?:[\w .+@-]+\\)*(?=[\w.+@-])")


def cleaned(text: str) -> str:
    """Return text in which what looks like a secret is hidden and absolute paths are cut to their last part."""
    for pattern in _IN_TEXT:
        text = pattern.sub(_hide, text)
    return _DRIVES.sub("", _FOLDERS.sub("", text))


def _hide(match: re.Match[str]) -> str:
    groups = match.groupdict()
    return match[0].replace(groups["value"], HIDDEN) if groups.get("value") else HIDDEN


def cleaned_words(words: list[str]) -> list[str]:
    """Return the words of a command in the same way; the value after a secret's name is hidden too."""
    shown: list[str] = []
    hide_next = False
    for word in words:
        name, equals, value = word.partition("=")
        secret = _SECRET_NAME.search(name) is not None
        if hide_next:
            shown.append(HIDDEN)
        elif secret and equals:
            shown.append(f"{name}={HIDDEN}")
        else:
            shown.append(f"{name}={cleaned(value)}" if equals else cleaned(word))
        hide_next = secret and not equals and word.startswith("-")
    return shown


def cleaned_options(options: Mapping[str, str]) -> dict[str, str]:
    """Return a model's options in the same way."""
    return {name: HIDDEN if _SECRET_NAME.search(name) else cleaned(str(value)) for name, value in options.items()}
