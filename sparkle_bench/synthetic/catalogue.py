"""The twelve clips of the demo: where they play, and what the instruction asks for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """One sample of the demo.

    Attributes:
        id: The sample's id, `Demo_{theme}_{number}`.
        keyword: Its label, `subtheme: scene`.
        instruction: What the editing model is asked to do.
        original: What the source shows, in a sentence.
        source: Where it plays, a key of `settings.SOURCES`.
        target: Where it shall play, a key of `settings.TARGETS`.
    """

    id: str
    keyword: str
    instruction: str
    original: str
    source: str
    target: str

    @property
    def theme(self) -> str:
        """The first level of its label."""
        return self.id.split("_")[1]

    @property
    def video(self) -> str:
        """The source video's path inside the benchmark's folder."""
        return f"source_videos/{self.theme}/{self.id}.mp4"

    @property
    def true_mask(self) -> str:
        """The path of its true masks inside the benchmark's folder."""
        return f"true_masks/{self.theme}/{self.id}.npz"


_CLIPS = (
    Clip(
        id="Demo_location_000001",
        keyword="coast: stormy shore at dusk with waves crashing",
        instruction=(
            "Put her on a stormy coast at dusk, with tall waves crashing against dark rocks and throwing up bursts of "
            "spray, hard rain slanting across the shore, and heavy clouds racing overhead in the last grey light."
        ),
        original="A red-haired woman in a striped sweater waves in a sunny park with flowers and trees.",
        source="park",
        target="storm",
    ),
    Clip(
        id="Demo_location_000002",
        keyword="rural: open prairie with tall grass waving",
        instruction=(
            "Place the man in an open prairie under a vast bright sky, with tall golden grass swaying vigorously in a "
            "strong wind and white clouds sailing over the distant hills."
        ),
        original="A bearded man in a straw hat and a plaid shirt talks with his hands in a lamp-lit study.",
        source="study",
        target="prairie",
    ),
    Clip(
        id="Demo_location_000003",
        keyword="urban: neon-lit street in the rain",
        instruction=(
            "Move the child to a city street at night, with neon signs flickering in pink, blue and amber, cars passing "
            "with their headlights on, rain pouring down, and colourful reflections trembling on the wet road."
        ),
        original="A child in a dotted jacket and a woollen hat jumps and cheers in a street under a grey sky.",
        source="grey street",
        target="rainy neon street",
    ),
    Clip(
        id="Demo_season_000001",
        keyword="winter: snow falling in a quiet wood",
        instruction=(
            "Set the scene in a quiet winter wood, with snow drifting gently down between bare trunks, white branches "
            "stirring now and then, and soft pale daylight over fresh snow."
        ),
        original="A woman with curly hair and glasses dances on a dark stage under sweeping coloured lights.",
        source="theatre",
        target="snowy wood",
    ),
    Clip(
        id="Demo_season_000002",
        keyword="autumn: leaves whirling in an evening wood",
        instruction=(
            "Change the background to an autumn wood late in the evening, where gusts of wind whirl orange leaves through "
            "the air and the crowns toss above dark trunks in the last warm light."
        ),
        original="A woman in an argyle sweater and a dotted skirt walks along a beach on a bright day.",
        source="beach",
        target="autumn wood",
    ),
    Clip(
        id="Demo_season_000003",
        keyword="spring: cherry blossoms in full bloom",
        instruction=(
            "Move the subject to a spring park full of cherry trees in bloom, with sunlight filtering softly through the "
            "pink canopies and petals drifting slowly through the air."
        ),
        original="A bald man with a grey beard and a patterned pullover points aside by a fireplace.",
        source="fireside",
        target="blossom",
    ),
    Clip(
        id="Demo_time_000001",
        keyword="night: moonlit sea with calm waves",
        instruction=(
            "Shift the scene to a calm sea at night under a full moon, with low waves rolling gently ashore, moonlight "
            "glittering on the water, and a few thin clouds gliding by."
        ),
        original="A young man in a cap and a short-sleeved shirt stretches on a windy heath in full sun.",
        source="heath",
        target="moonlit sea",
    ),
    Clip(
        id="Demo_time_000002",
        keyword="blue hour: city lights across the water",
        instruction=(
            "Place her by a harbour at the blue hour, with windows twinkling in the towers across the water, their "
            "reflections shimmering on the ripples, boats passing slowly, and dark clouds drifting over the city."
        ),
        original="A woman with a bun and a flowered dress conducts by a lake under a grey sky.",
        source="grey lake",
        target="blue hour",
    ),
    Clip(
        id="Demo_time_000003",
        keyword="dawn: morning mist rolling over a valley",
        instruction=(
            "Put the man in a wooded valley early in the morning, with soft golden light on the ridges, thick mist rolling "
            "between them, and clouds moving slowly across the pale sky."
        ),
        original="A man in a knitted jumper and a scarf greets someone across the water from a city at sunset.",
        source="evening city",
        target="misty valley",
    ),
    Clip(
        id="Demo_style_000001",
        keyword="era: medieval great hall by torchlight",
        instruction=(
            "Turn the background into the great hall of a medieval castle at night, lit only by torches whose flames leap "
            "and flicker wildly, with banners stirring in the draught and embers rising through the dark."
        ),
        original="A woman in a pinstriped blouse explains something in a bright office.",
        source="office",
        target="torch-lit hall",
    ),
    Clip(
        id="Demo_style_000002",
        keyword="illustration: paper-cut hills with windmills",
        instruction=(
            "Set the subject against a paper-cut storybook landscape in bright pastel colours, with windmill sails turning "
            "briskly, paper clouds floating by, and small birds flapping across the sun."
        ),
        original="A girl with a pony tail and a plaid dress swings her arms on a beach at sunset.",
        source="evening beach",
        target="picture book",
    ),
    Clip(
        id="Demo_style_000003",
        keyword="photograph: red desert canyon at noon",
        instruction=(
            "Replace the background with a still photograph of a red desert canyon under a hard noon sun; nothing moves, "
            "no cloud and no grain of sand."
        ),
        original="A man in a dotted shirt waves in a street between neon signs at night.",
        source="neon street",
        target="canyon",
    ),
)

CLIPS: dict[str, Clip] = {clip.id: clip for clip in _CLIPS}
"""The clips by id, in the benchmark's order."""
