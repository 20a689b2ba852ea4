"""The words of made-up boards (`made_results.py`): scenes, instructions, replies, names, and texts that mean harm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

PLACES: Mapping[str, Mapping[str, Sequence[str]]] = {
    "location": {
        "rural": ("vineyard rows", "open prairie of tall grass", "terraced rice fields"),
        "coast": ("rocky shore", "harbour with fishing boats", "white sand beach"),
        "urban": ("neon-lit street", "rooftop terrace", "crowded night market"),
        "mountain": ("alpine meadow", "snowy pass", "lake below cliffs"),
        "interior": ("old library", "greenhouse", "railway hall"),
        "wild": ("bamboo forest", "red desert dunes", "mangrove swamp"),
    },
    "season": {
        "spring": ("cherry orchard", "meadow under melting snow", "park in bloom"),
        "summer": ("sunflower field", "lakeside at noon heat", "lavender hills"),
        "autumn": ("maple avenue", "harvested cornfield", "beech wood"),
        "winter": ("frozen lake", "village under snow", "pine forest in frost"),
        "monsoon": ("flooded lane", "tea garden in rain", "temple steps in rain"),
    },
    "time": {
        "dawn": ("misty valley", "fishing pier", "quiet suburb"),
        "noon": ("stone plaza", "desert road", "bright courtyard"),
        "dusk": ("twilight skyline", "wheat field", "ferry deck"),
        "night": ("starlit ridge", "campsite", "empty boulevard"),
        "golden hour": ("olive grove", "sea cliffs", "canal bridge"),
    },
    "style": {
        "cinematic": ("industrial wasteland", "space station corridor", "rain-soaked alley"),
        "era": ("medieval village", "1920s jazz club", "ancient forum"),
        "painting": ("impressionist garden", "ink-wash mountains", "watercolour harbour"),
        "animation": ("paper cut-out town", "cel-shaded forest", "clay kitchen"),
        "fantasy": ("floating islands", "crystal cave", "ruined castle"),
    },
}
THEMES = tuple(PLACES)
MOTIONS = (
    "leaves rustling in a breeze",
    "mist rolling over the ground",
    "waves crashing in a storm",
    "embers floating upwards",
    "people strolling by",
    "light flickering on the walls",
)
SCENES = {"location": 30, "season": 22, "time": 26, "style": 19}
SHARES = (0.33, 0.22, 0.24, 0.21)
VERBS = (
    "Move the subject to",
    "Place the subject in",
    "Shift the background to",
    "Set the scene to",
    "Put the subject against",
    "Replace the background with",
)
LIGHTS = (
    "soft golden light filters through and the shadows dance across the ground",
    "a hazy orange glow spreads from the horizon",
    "the sky is overcast and the colours are muted",
    "warm lamps are reflected in wet stone",
    "distant shapes fade into blue haze",
    "the light changes slowly as clouds pass",
)
RARE = (
    'Put her on a "stage", please: curtains, footlights, and a sign that reads "Opening night, 8 p.m."; keep motion small.',
    "把背景换成雨后的古镇，青石板路上有倒影，灯笼在微风中轻轻摇晃，人物保持不变。",
    "背景を桜並木に変えて、花びらがゆっくり舞い落ちるようにしてください。",
    "ضع الشخص أمام سوق قديم مضاء بالفوانيس، مع دخان يتصاعد ببطء في الخلفية.",
    "החליפו את הרקע לחוף ים בשקיעה, עם גלים שקטים ורוח קלה.",
    "Beach.",
    "Don't change the subject; it's only the backdrop — “studio grey”, 50 % darker, f/2.8 look — that should be new 🎬.",
)
SAID: Mapping[str, Sequence[str]] = {
    "instruction": (
        "the background is the source's own and nothing asked for is there",
        "only part of the request is visible",
        "the main idea is there but elements are missing",
        "the request is met with small mismatches of mood",
        "the scene is exactly what was asked for",
    ),
    "fg_integrity": (
        "the subject is damaged beyond recognition",
        "the outline is eaten into and bends",
        "a halo follows the hair and hands",
        "minute flaws remain at the edges",
        "every detail of the subject is kept",
    ),
    "bg_dynamics": (
        "and the backdrop is still where motion is implied",
        "and the required motion is mostly absent",
        "and the motion is of the right kind but stiff",
        "and the motion fits, a little under",
        "and the motion flows naturally",
    ),
}
FAMILIES = (
    "Basalt",
    "Cirrus",
    "Drift",
    "Ember",
    "Fathom",
    "Glacier",
    "Heron",
    "Iris",
    "Juniper",
    "Kestrel",
    "Lumen",
    "Marrow",
    "Nimbus",
    "Osprey",
    "Prism",
    "Quarry",
    "Rowan",
    "Sable",
    "Tundra",
    "Umber",
    "Vesper",
    "Willow",
    "Xenon",
    "Yarrow",
    "Zephyr",
)
SIZES = (5.0, 1.3, 14.0, 2.0, 13.0, 30.0, 8.0, 3.0)
"""Of the models, in 10^9 parameters."""
LICENSES = ("Apache-2.0", "MIT", "CC BY-NC 4.0", "proprietary, hosted", "OpenRAIL-M", "non-commercial research")
FAILURES = (
    ("OutOfMemory", "CUDA out of memory: tried to allocate 2.50 GiB; use a smaller --option size"),
    ("Refused", "the host will not make this edit: content policy"),
    ("EditorError", "the command ended with code 1: RuntimeError: expected 81 frames, got 80"),
)
UNANSWERED = ("RequestFailed", "the server answered 503 three times")
UNREADABLE = ("VerdictError", "no mark for Background Visual Quality")
GPUS = ("NVIDIA H100 80GB HBM3", "NVIDIA A100-SXM4-80GB", "NVIDIA L40S", "NVIDIA GeForce RTX 4090")

LONG_WORD = "w" * 10_000
HOSTILE = (
    "<script>window.pwned=1</script>",
    "</script><script>window.pwned=2</script>",
    "<!--<script>",
    "]]></style></textarea></title><img src=x onerror=window.pwned=3>",
    "[look](javascript:window.pwned=4) javascript:window.pwned=5",
    "`${window.pwned=6}` {{ 7 * 7 }} {% raw %} ${7*7} <%= 7 %> #{7}",
    '" onmouseover="window.pwned=7" x=\'',
    "\\input{/etc/passwd} \\write18{id} $x^2$ 100 % & # _ ~ ^ { } \\",
    '=cmd()|"/C calc"!A1',
    '@SUM(1+1)*HYPERLINK("http://example.invalid")',
    "\u202e\u2066reversed\u2069\u202c \u200f\u061c",
    "line\u2028separator\u2029paragraph\x85next\x0bvertical",
    "bell\x07 escape\x1b[31m nul\x00 delete\x7f",
    "| a | b |\n|---|---|\n# heading\n\n```\n~~~",
    "&lt;b&gt; &amp;amp; &#x3c;script&#x3e; &nosuch;",
    "<svg/onload=window.pwned=8><math><mtext></mtext></math>",
    "__proto__ constructor toString NaN null undefined",
    LONG_WORD,
)
"""Texts that try to get out of their place; a page on which `window.pwned` is set ran one of them."""
HALF_PAIR = "half a pair: \ud800"
"""No text; but a judge's reply may end so, and is kept verbatim."""
REFUSED_LINKS = (
    "javascript:window.pwned=9",
    "data:text/html,<script>window.pwned=10</script>",
    "//example.invalid/x",
    "file:///etc/passwd",
)
"""Links that no card may declare."""
HOSTILE_NAMES = (
    "constructor",
    "toString",
    "hasOwnProperty",
    "NaN",
    "null",
    "1e5",
    "007",
    "con",
    "L" + "o" * 98 + "g",
    "a.b+c-d_e",
)
"""Names that a folder may have."""
