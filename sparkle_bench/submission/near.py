"""Files that are nearly a sample's, and in what they are wrong. They never count as they are.

Names are compared by their words and numbers: letter case, spaces, other separators, leading zeros, an ending other than
`.mp4`, another word for `edited` and a missing head of the id make no difference. A near miss is sure if nothing else can
be meant: one file, one sample, no part of the number guessed.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from sparkle_bench.records import Sample

MARKERS = frozenset(
    {"edited", "edit", "edits", "output", "out", "result", "res", "final", "pred", "gen", "generated", "after"}
)
"""Words that may follow an id."""
_COPY = re.compile(r"(?:[ _-]*\(\d{1,3}\)|[ _-]+copy)+$")
_WORDS = re.compile(r"[^\W\d_]+|\d+")
Words = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NearMiss:
    """A file that looks like a missing sample's.

    Attributes:
        sample_id: The sample.
        path: The file as found, relative to the folder handed in.
        place: The path that it should have.
        why: What is wrong with it, in a few words.
        sure: Whether nothing else can be meant.
    """

    sample_id: str
    path: str
    place: str
    why: str
    sure: bool


def near_misses(
    names: Iterable[str] | Mapping[str, str], missing: Sequence[Sample], *, tree: bool | None
) -> tuple[list[NearMiss], list[str]]:
    """Divide names that match nothing into near misses and others.

    Args:
        names: Relative paths of files; or, from a manifest, ids with the path of each.
        missing: The samples without a file.
        tree: Whether files belong into folders of their themes; None if the names are a manifest's ids.

    Returns:
        The near misses in the samples' order, and the names that are none.
    """
    index = _Index(missing)
    claims: dict[str, list[tuple[str, bool]]] = defaultdict(list)
    others = []
    for name in names:
        found = index.look(PurePosixPath(name))
        if found is None:
            others.append(name)
        else:
            claims[found[0].id].append((name, found[1]))
    paths = names if isinstance(names, Mapping) else {}
    near = []
    for sample in missing:
        for name, whole in claims.get(sample.id, ()):
            place = sample.id if tree is None else sample.edit_path if tree else f"{sample.id}_edited.mp4"
            why = _why(name, sample, place)
            alone = len(claims[sample.id]) == 1
            if not alone:
                why += f"; {len(claims[sample.id])} files may be meant"
            near.append(
                NearMiss(sample_id=sample.id, path=paths.get(name, name), place=place, why=why, sure=whole and alone)
            )
    return near, others


class _Index:
    """Samples by the words of their ids, and by the last of these."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._whole: dict[Words, list[Sample]] = defaultdict(list)
        self._tail: dict[Words, list[Sample]] = defaultdict(list)
        for sample in samples:
            words = _words(sample.id)
            self._whole[words].append(sample)
            for start in range(1, len(words)):
                self._tail[words[start:]].append(sample)

    def look(self, name: PurePosixPath) -> tuple[Sample, bool] | None:
        """Return the sample that a file may be meant for, and whether its whole id, or its theme, is told."""
        words = _without_markers(_words(_COPY.sub("", _plain(name.stem))))
        found = self._whole.get(words, [])
        if len(found) == 1:
            return found[0], True
        if found or not words or not words[-1].isdigit():
            return None
        told = {_plain(part) for part in name.parts[:-1]}
        tails = self._tail.get(words, [])
        by_theme = [sample for sample in tails if sample.theme in told or sample.theme in words]
        if len(by_theme) == 1:
            return by_theme[0], True
        return (tails[0], False) if len(tails) == 1 else None


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().strip()


def _words(text: str) -> Words:
    """Return the words and numbers of a name, numbers without leading zeros."""
    found = _WORDS.findall(_plain(text))
    return tuple(word.lstrip("0") or "0" if word.isascii() and word.isdigit() else word for word in found)


def _without_markers(words: Words) -> Words:
    while len(words) > 1 and words[-1] in MARKERS:
        words = words[:-1]
    return words


def _why(name: str, sample: Sample, place: str) -> str:
    """Say in what a name is wrong."""
    path, wanted = PurePosixPath(name), PurePosixPath(place)
    stem = path.stem if path.suffix else path.name
    reasons = []
    if stem not in (sample.id, f"{sample.id}_edited"):
        reasons.append(_about_the_name(stem, sample))
    if wanted.suffix and path.suffix != wanted.suffix:
        reasons.append(f"ends in {path.suffix}, not in {wanted.suffix}")
    if wanted.suffix and path.parent != wanted.parent and path.as_posix() != f"{sample.id}.mp4":
        there = "" if path.parent == PurePosixPath() else path.parent.as_posix()
        here = "" if wanted.parent == PurePosixPath() else wanted.parent.as_posix()
        reasons.append(f"lies in {there or 'the top folder'}, not in {here or 'the top folder'}")
    return ", ".join(reasons) or "is called otherwise"


def _about_the_name(stem: str, sample: Sample) -> str:
    plain, wanted = _plain(stem), _plain(sample.id)
    if any(letter.isspace() for letter in stem):
        return "has spaces in its name"
    if _COPY.search(plain):
        return "is called a copy"
    if plain in (wanted, f"{wanted}_edited"):
        return "is written in other letters"
    if plain.startswith(wanted):
        return f"ends in {stem[len(sample.id) :]}, not in _edited"
    whole = _without_markers(_words(stem)) == _words(sample.id)
    return "writes the id otherwise" if whole else "has a part of the id alone"
