"""What a reply says beside its marks, and whether it speaks of the instruction that it is about. Pure."""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from sparkle_bench.records import Sample
from sparkle_bench.rubric import Rubric

LONGEST = 20_000
"""Characters of a reply that are looked at."""
FEWEST_WORDS = 4
"""A reply with fewer words beside its marks has no rationale."""
STEM = 5
"""Words are compared by so many first letters: `snow` is not `snowy`, but `waves` is `waving`."""
OTHERS = 24
"""So many other samples' instructions a reply is compared with."""
_WORD = re.compile(r"[^\W\d_]+")
_WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_HEAD = re.compile(r"\b(?:brief )?reasoning\b|\bscore\b|\bmark\b|\brating\b", re.IGNORECASE)


def rationale(reply: str, rubric: Rubric) -> str:
    """Return the words of a reply that are not the labels of marks, in lower case, joined by spaces; empty if too few."""
    names = sorted((n for d in rubric.dimensions for n in (d.label, *d.aliases, d.key)), key=len, reverse=True)
    labels = re.compile("|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in names), re.IGNORECASE)
    said = _HEAD.sub(" ", labels.sub(" ", reply[:LONGEST]))
    words = _WORD.findall(said.casefold())
    enough = len(words) >= FEWEST_WORDS or (len("".join(words)) >= 12 and _WIDE.search(said))
    return " ".join(words) if enough else ""


def stems(text: str) -> frozenset[str]:
    """Return what stands for the words of a text: their beginnings; pairs of signs where words are not parted."""
    found: set[str] = set()
    for word in _WORD.findall(text.casefold()):
        if _WIDE.search(word):
            found |= {word[n : n + 2] for n in range(len(word) - 1)}
        elif len(word) > 2:
            found.add(word[:STEM])
    return frozenset(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subjects:
    """What every sample is about, by the words of its instruction and labels.

    Attributes:
        words: By sample id.
        weights: By word: rare ones tell more, one that all have tells nothing.
        scenes: By sample id; samples of one scene are not told apart.
    """

    words: Mapping[str, frozenset[str]]
    weights: Mapping[str, float]
    scenes: Mapping[str, tuple[str, str, str]]

    def above_others(self, sample_id: str, text: str) -> bool | None:
        """Return whether a text has more in common with its sample than with others on average.

        None if that cannot be said: the text shares no word with any instruction (another language), or all samples are
        of one scene. The others are drawn with the sample's id as seed.
        """
        said = stems(text)
        if not (said & self.weights.keys()) or sample_id not in self.words:
            return None
        drawn = self._strangers(sample_id)
        if not drawn:
            return None
        usual = sum(self._overlap(other, said) for other in drawn) / len(drawn)
        return self._overlap(sample_id, said) > usual + 1e-9

    def _strangers(self, sample_id: str) -> list[str]:
        """Return some samples of other scenes."""
        ids = list(self.words)
        for count in (4 * OTHERS, len(ids)):  # few are enough, unless most are of one scene
            drawn = random.Random(sample_id).sample(ids, min(count, len(ids)))
            strangers = [other for other in drawn if self.scenes[other] != self.scenes[sample_id]]
            if len(strangers) >= OTHERS:
                break
        return strangers[:OTHERS]

    def _overlap(self, sample_id: str, said: frozenset[str]) -> float:
        own = self.words[sample_id]
        size = math.sqrt(sum(self.weights[word] for word in own))
        return sum(self.weights[word] for word in own & said) / size if size else 0.0


def subjects(samples: Mapping[str, Sample]) -> Subjects:
    """Return what the samples are about."""
    words = {i: stems(f"{s.instruction[:LONGEST]} {s.subtheme} {s.scene}") for i, s in samples.items()}
    counts = Counter(word for own in words.values() for word in own)
    weights = {word: math.log(len(words) / count) for word, count in counts.items()}
    scenes = {sample_id: (s.theme, s.subtheme, s.scene) for sample_id, s in samples.items()}
    return Subjects(words=words, weights=weights, scenes=scenes)
