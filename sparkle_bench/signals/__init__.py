"""Facts measured from the pixels of a source and its edit, on the CPU, with OpenCV and NumPy and no network.

`measure` returns `Signals`; `facts.py` says what each one is. A signal that the pixels do not tell is unknown, never a
guess. Where they are weak: dark scenes and flat or strongly relit surfaces (a subject is found in parts), thin structures
(a line or a trumpet is lost), a moving camera (what stands still cannot be told), restyled subjects.
"""

from sparkle_bench.signals.facts import (
    VERSION,
    Background,
    Change,
    Harmony,
    Media,
    Signals,
    Subject,
    Text,
    from_data,
    to_data,
)
from sparkle_bench.signals.measuring import measure

__all__ = [
    "VERSION",
    "Background",
    "Change",
    "Harmony",
    "Media",
    "Signals",
    "Subject",
    "Text",
    "from_data",
    "measure",
    "to_data",
]
