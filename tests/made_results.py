"""Whole `results/` made up from a seed, as large as need be: known true quality, every kind of gap, every kind of text.

    write(root, Made(models=50, samples=458, repeats=3))      # the full board: 68,700 judgments
    truth(made)["Basalt-5B"]                                  # what its overall would be over infinitely many scenes

Lines are those that the records themselves give, written in bulk. A model's records depend on the seed and its own number
alone, so the first models of a large board are those of a small one, but for the number of samples.

A latent value is the model's centre (its quality, leaning to dimensions and themes) plus what the scene, the model on this
scene, the sample, the model on this sample and this dimension add, plus the judge's noise from repeat to repeat. Rounded and
clipped to the scale it is the raw mark. As the prompt asks, the judge mostly caps the marks itself.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from sparkle_bench import disk, video
from sparkle_bench.benchmark import Benchmark
from sparkle_bench.prompts import load_prompt
from sparkle_bench.records import Edit, Effort, Judgment, Measurement, Probe, Record, Sample, to_json
from sparkle_bench.rubric import Scores
from sparkle_bench.run.spending import usage
from sparkle_bench.signals import VERSION, to_data
from sparkle_bench.store import Store
from tests import made_signals, makers
from tests import made_words as words

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

T = TypeVar("T")
PROMPT = load_prompt("sparkle", root=Path(__file__).parent.parent)
KEYS = PROMPT.rubric.keys
DATE = "2026-10-{day:02d}T09:30:00+00:00"
BENCH = Path("data") / "Sparkle-Bench"
"""Where `videos=True` puts the benchmark, under the root: where commands look for one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What a made-up board holds.

    Attributes:
        models: How many; the first is `identity`, the second and third are equally good.
        samples: How many, over four themes.
        repeats: Verdicts of every edit.
        seed: Another seed, another board.
        judges: Judge keys. The first judge leans to no model; the others do, a little.
        benchmark: Its name.
        no_edit: Share of the edits that failed, of every model but `identity`.
        gappy: Every so-manieth model lacks verdicts; 0 for none.
        no_verdict: Share of the verdicts that these lack.
        partial: Every so-manieth model was not tried on all samples; 0 for none.
        signals: Whether edits are measured.
        videos: Whether there are small real videos, and the benchmark with its sources at `BENCH`.
        hostile: Whether texts try to break a page, a table, a TeX file.
    """

    models: int = 50
    samples: int = 458
    repeats: int = 3
    seed: int = 0
    judges: tuple[str, ...] = ("made-judge-0000",)
    benchmark: str = "sparkle"
    no_edit: float = 0.004
    gappy: int = 17
    no_verdict: float = 0.02
    partial: int = 25
    signals: bool = False
    videos: bool = False
    hostile: bool = False


# -- the models ------------------------------------------------------------------------------------------------------


def names(made: Made) -> tuple[str, ...]:
    """Return the models' names, by number."""
    return tuple(_name(made, number) for number in range(made.models))


def _name(made: Made, number: int) -> str:
    if number == 0:
        return "identity"
    if made.hostile and number % 3 == 1 and number // 3 < len(words.HOSTILE_NAMES):
        return words.HOSTILE_NAMES[number // 3]
    turn = (number - 1) // len(words.FAMILIES)
    return f"{_turn(words.FAMILIES, number - 1)}-{_turn(words.SIZES, number):g}B" + (f"-v{turn + 1}" if turn else "")


def truth(made: Made) -> dict[str, float]:
    """Return what each model's overall would be under the first judge, over infinitely many scenes, by name.

    Failed edits count as on a board, missing verdicts and samples that were not tried do not. By simulation, with the same
    draws and their opposites for every model.
    """
    half = np.random.default_rng([made.seed, 1]).normal(size=(DRAWS // 2, len(KEYS) + 1))
    draws = np.concatenate([half, -half])
    common, own = COMMON * draws[:, -1:], float(np.hypot(OF_DIMENSION, NOISE)) * draws[:, :-1]
    found = {}
    for number, name in enumerate(names(made)):
        leaning = _leaning(made, number)
        themes = [_capped(_marks(row + leaning.spread * (common + own))).mean() for row in leaning.centre]
        failed = 0.0 if number == 0 else made.no_edit
        found[name] = float((1 - failed) * np.mean(themes) + failed * PROMPT.rubric.lowest)
    return found


OF_SCENE, OF_SAMPLE, ON_SCENE, ON_SAMPLE, OF_DIMENSION, NOISE = 0.3, 0.35, 0.3, 0.55, 0.35, 0.45
"""Standard deviations, in marks: of a scene and a sample for all models, of a model on them, of a dimension, of repeats."""
COMMON = float(np.linalg.norm([OF_SCENE, OF_SAMPLE, ON_SCENE, ON_SAMPLE]))
DRAWS = 20_000
OBEDIENCE = 0.54
"""How often the judge caps the marks itself, as the prompt asks; so the cap binds on a fifth."""
DIMENSIONS = np.array([0.25, -0.35, 0.05, 0.25, -0.25, 0.05])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Leaning:
    """Where a model stands: its centre by theme and dimension, and how much all else moves its marks."""

    centre: Numbers
    spread: float


def _leaning(made: Made, number: int) -> _Leaning:
    if number == 0:
        return _Leaning(centre=np.tile([0.9, 4.9, 5.2, 5.2, 0.9, 4.8], (len(words.THEMES), 1)), spread=0.25)
    rng = np.random.default_rng([made.seed, 3, max(2, number)])  # the second and the third model are one
    quality = float(np.clip(rng.normal(3.3, 0.6), 1.6, 4.6))
    themes, dimensions = rng.normal(0, 0.15, len(words.THEMES)), rng.normal(0, 0.2, len(KEYS))
    leaning = (themes - themes.mean())[:, None] + (dimensions - dimensions.mean())[None, :]
    return _Leaning(centre=quality + DIMENSIONS + leaning, spread=1.0)


def _marks(latent: Numbers) -> Numbers:
    return np.clip(np.rint(latent), PROMPT.rubric.lowest, PROMPT.rubric.highest)


def _capped(marks: Numbers) -> Numbers:
    return np.minimum(marks, marks[..., :1])


def _turn(items: Sequence[T], number: int) -> T:
    """Return one of the items, in turn."""
    return items[number % len(items)]


def _told_apart(text: str) -> int:
    """Return a number that stands for a text, the same in every process."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


# -- the benchmark ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Clip:
    """A small real video, to be linked to many places."""

    path: Path
    sha256: str
    probe: Probe


@dataclass(frozen=True, slots=True, kw_only=True)
class _World:
    """What all models have in common."""

    made: Made
    samples: tuple[Sample, ...]
    version: Mapping[str, Any]
    theme: NDArray[np.int64]
    scene: NDArray[np.int64]
    effect: Numbers
    clips: Mapping[tuple[int, int], _Clip]


def samples(made: Made) -> tuple[Sample, ...]:
    """Return the samples of a made-up benchmark, theme by theme; scenes hold 1 to some 20 of them."""
    return tuple(_sample(made, place, labels) for place, labels in enumerate(_labels(made)))


def _labels(made: Made) -> list[tuple[str, str, str]]:
    """Return theme, subtheme and scene of every sample."""
    rng = np.random.default_rng([made.seed, 4])
    firsts = [round(made.samples * sum(words.SHARES[:n])) for n in range(len(words.THEMES) + 1)]
    found = []
    for theme, (first, last) in zip(words.THEMES, itertools.pairwise(firsts), strict=True):
        scenes = _scenes(theme)[: max(1, last - first)]
        weights = np.arange(1, len(scenes) + 1) ** -0.7
        counts = rng.multinomial(max(0, last - first - len(scenes)), weights / weights.sum()) + 1
        labels = [(theme, *scene) for scene, count in zip(scenes, counts, strict=True) for _ in range(count)]
        found += [labels[n] for n in rng.permutation(len(labels))][: last - first]
    return found


def _scenes(theme: str) -> list[tuple[str, str]]:
    """Return (subtheme, scene) pairs, the subthemes in turn."""
    subthemes = list(words.PLACES[theme])
    found = []
    for number in range(words.SCENES[theme]):
        turn, at = divmod(number, len(subthemes))
        place = words.PLACES[theme][subthemes[at]][turn % 3]
        found.append((subthemes[at], f"{place} with {_turn(words.MOTIONS, turn + at)}"))
    return found


def _sample(made: Made, place: int, labels: tuple[str, str, str]) -> Sample:
    theme, subtheme, scene = labels
    name = f"Sparkle_{theme}_{place + 1:06d}"
    if made.hostile and place % 6 == 0:
        name += ("'><script>", "#top?a=1&b=2", "%2e%2e", " two words", "é夜")[place // 6 % 5]
    if made.hostile and subtheme in ("rural", "era"):
        scene = f'<img src=x onerror=window.pwned=11> "{scene}" & $x_1$ % # `'
    source = f"source_videos/{theme}/{name}.mp4"
    return Sample(
        id=name,
        benchmark=made.benchmark,
        theme=theme,
        subtheme=subtheme,
        scene=scene,
        instruction=_instruction(made, place, labels[2]),
        source=source,
        sha256=hashlib.sha256(source.encode()).hexdigest(),
    )


def _instruction(made: Made, place: int, scene: str) -> str:
    if made.hostile and place % 2:
        return f"{_turn(words.VERBS, place)} {_turn(words.HOSTILE, place // 2)}"
    if place % 19 == 5:
        return _turn(words.RARE, place // 19)
    lights = [_turn(words.LIGHTS, place + place // 6 + n) for n in range(12 if place % 61 == 9 else 1 + place % 2)]
    return f"{_turn(words.VERBS, place)} a {scene}, where {', and '.join(lights)}."


def _world(root: Path, made: Made) -> _World:
    labels = _labels(made)
    clips = _clips(root / BENCH.parent / "clips") if made.videos else {}
    those = samples(made)
    if made.videos:
        those = _published(root / BENCH, those, clips)
    bench = Benchmark(name=made.benchmark, samples=those)
    scenes = {label: number for number, label in enumerate(dict.fromkeys(labels))}
    scene = np.array([scenes[label] for label in labels])
    rng = np.random.default_rng([made.seed, 5])
    return _World(
        made=made,
        samples=those,
        version={"name": bench.name, "digest": bench.digest, "samples": len(those), "partial": bench.partial},
        theme=np.array([words.THEMES.index(label[0]) for label in labels]),
        scene=scene,
        effect=OF_SCENE * rng.normal(size=len(scenes))[scene] + OF_SAMPLE * rng.normal(size=len(labels)),
        clips=clips,
    )


# -- videos ----------------------------------------------------------------------------------------------------------

KINDS = ((81, 16.0), (81, 15.0), (77, 16.0), (65, 16.0))
"""Frames and frames per second of the models' edits, in turn."""
HUES = 3
SOURCE = -1
SIZE = (320, 180)
BITS = 8
"""Blocks along the top of a picture: white for 1, black for 0, the highest bit first; they count the frames from 0."""


def counted_frames(frames: int, hue: int) -> Iterable[NDArray[np.uint8]]:
    """Yield pictures whose top row counts the frames in blocks, above a square that moves and a bar that grows."""
    width, height = SIZE
    side, block = height // 4, width // BITS
    paint = np.array([(60, 90, 150), (140, 80, 60), (70, 130, 80), (110, 110, 110)][hue], np.uint8)
    for number in range(frames):
        picture = np.tile(paint, (height, width, 1))
        picture[::12] = paint // 2
        for bit in range(BITS):
            level = 235 if number >> (BITS - 1 - bit) & 1 else 16
            picture[: height // 8, bit * block : (bit + 1) * block] = level
        left = number * 3 % (width - side)
        picture[height // 2 - side // 2 : height // 2 + side // 2, left : left + side] = 250
        picture[-8:, : max(1, width * (number + 1) // frames)] = (220, 200, 40)
        yield picture


def _clips(folder: Path) -> dict[tuple[int, int], _Clip]:
    """Write one clip for every kind and hue, and one as source."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {(kind, hue): KINDS[kind] for kind in range(len(KINDS)) for hue in range(HUES)}
    wanted[SOURCE, HUES] = KINDS[0]
    found = {}
    for (kind, hue), (frames, fps) in wanted.items():
        path = folder / f"{kind}-{hue}.mp4"
        video.write(path, counted_frames(frames, hue), fps=fps, crf=30, preset="veryfast")
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        found[kind, hue] = _Clip(path=path, sha256=sha256, probe=video.probe(path))
    return found


def _put(clip: _Clip, place: Path) -> None:
    if not place.parent.is_dir():
        place.parent.mkdir(parents=True)
    os.link(clip.path, place)


def _published(bench: Path, those: Sequence[Sample], clips: Mapping[tuple[int, int], _Clip]) -> tuple[Sample, ...]:
    """Write the benchmark as it is published, and return its samples with their sources' hash."""
    clip = clips[SOURCE, HUES]
    for sample in those:
        _put(clip, bench / sample.source)
    for theme in words.THEMES:
        own = [sample for sample in those if sample.theme == theme]
        makers.write_table(bench / f"{theme}_bench.csv", [(theme, s.instruction, s.source) for s in own])
        labels = [{"edit_type": theme, "chosen_keyword": f"{s.subtheme}: {s.scene}"} for s in own]
        about = [{"id": s.id, "prompt": s.instruction, "metadata": m} for s, m in zip(own, labels, strict=True)]
        (bench / f"{theme}_metadata.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in about))
    return tuple(Sample(**{**to_json(sample), "sha256": clip.sha256}) for sample in those)


# -- what a model left -----------------------------------------------------------------------------------------------


def write(root: Path, made: Made) -> None:
    """Write `results/` under an empty root, and with `videos=True` the benchmark too."""
    store = Store(root=root)
    world = _world(root, made)
    for number, name in enumerate(names(made)):
        _write_lines(store.model_dir(name) / "samples.jsonl", world.samples)
        (store.model_dir(name) / "run.json").write_bytes(disk.pretty(_run(world, number, name)))
        edits = _edits(world, number, name)
        _write_lines(store.model_dir(name) / "edits.jsonl", edits.values())
        _link_videos(store, world, number, edits)
        if made.signals:
            _write_lines(store.model_dir(name) / "signals.jsonl", _measurements(world, number, edits))
        for judge in range(len(made.judges)):
            _write_verdicts(store, world, (number, name, judge), edits)


def _write_lines(path: Path, records: Iterable[Record]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(f"{json.dumps(to_json(record), ensure_ascii=False)}\n" for record in records)
    path.write_bytes(lines.encode(errors="backslashreplace"))


def _kind(number: int) -> tuple[int, int]:
    """Return which clip stands for a model's edits."""
    return number % len(KINDS), number // len(KINDS) % HUES


def _every(number: int, step: int, of: int) -> bool:
    return step > 0 and number > 0 and number % step == of % step


def _edits(world: _World, number: int, name: str) -> dict[int, Edit]:
    """Return a model's edits by the sample's place; a model of partial coverage was tried on six tenths."""
    made = world.made
    rng = np.random.default_rng([made.seed, 6, number])
    chance = rng.random((len(world.samples), 2))
    pace, jitter = float(np.exp(rng.uniform(1.5, 6))), rng.lognormal(0, 0.12, len(world.samples))
    found = {}
    for place, sample in enumerate(world.samples):
        if _every(number, made.partial, 8) and chance[place, 0] > 0.6:
            continue
        seconds = round(pace * float(jitter[place]), 3)
        if number and chance[place, 1] < made.no_edit:
            kind, why = _turn(words.FAILURES, place + number)
            why = f"{why} {_turn(words.HOSTILE, place)}" if made.hostile else why
            found[place] = Edit(sample_id=sample.id, error=why, error_type=kind, seconds=seconds)
            continue
        found[place] = _edit(world, number, sample, seconds, name)
    return found


def _edit(world: _World, number: int, sample: Sample, seconds: float, name: str) -> Edit:
    frames, fps = KINDS[_kind(number)[0]]
    clip = world.clips.get(_kind(number) if number else (SOURCE, HUES))
    return Edit(
        sample_id=sample.id,
        video=f"videos/{sample.edit_path}",
        sha256=clip.sha256 if clip else hashlib.sha256(f"{world.made.seed}/{name}/{sample.id}".encode()).hexdigest(),
        probe=clip.probe if clip else Probe(frames=frames, fps=fps, width=1280, height=720),
        seconds=seconds + 2.5,
        effort=_effort(number, seconds, frames),
    )


def _effort(number: int, seconds: float, frames: int) -> Effort | None:
    """Return what is known of an edit: nothing of what was handed in, no memory of what is hosted."""
    maker = _maker(number)
    if maker in ("identity", "folder"):
        return None
    if maker == "hosted":
        job = f"job-{number:03d}-{seconds:.3f}"
        return Effort(seconds=seconds, cost=round(0.05 + number % 7 * 0.04 + seconds / 1e4, 4), job=job)
    if maker == "command":
        return Effort(seconds=seconds)
    aligned = number % 7 != 3
    return Effort(
        seconds=seconds,
        frames=frames if aligned else 81,
        aligned=aligned,
        host_memory=9_000_000_000 + number * 10**8,
        gpu_memory=int(2.2e9 * _turn(words.SIZES, number)) + 6 * 10**9,
    )


def _maker(number: int) -> str:
    return "identity" if number == 0 else ("diffusers", "preset", "folder", "hosted", "command")[number % 5]


def _link_videos(store: Store, world: _World, number: int, edits: Mapping[int, Edit]) -> None:
    if world.clips:
        clip = world.clips[_kind(number) if number else (SOURCE, HUES)]
        for edit in edits.values():
            if edit.video:
                _put(clip, store.model_dir(_name(world.made, number)) / edit.video)


EDITORS = {"diffusers": "lucy-edit", "preset": "kiwi-edit", "hosted": "lucy-2"}


def _run(world: _World, number: int, name: str) -> dict[str, Any]:
    """Return a `run.json` as the first stage writes it."""
    made, maker = world.made, _maker(number)
    local = maker in ("diffusers", "preset", "command")
    gpu = _turn(words.GPUS, number)
    hardware = {
        "system": "Linux x86_64",
        "python": "3.11.9",
        "cpus": 32,
        "gpus": [gpu] * (1 + number % 2) if local else [],
    }
    if maker == "preset" and number % 2:
        hardware = {"machines": [{**hardware, "used": ["0"], "count": 2}]}
    declared = _declared(made, number, name) if number and number % 7 != 4 else {}
    run = {
        "model": name,
        "benchmark": dict(world.version),
        "editor": {
            "name": "wan-vace" if _masked(number) else EDITORS.get(maker, maker),
            "options_hash": hashlib.sha256(name.encode()).hexdigest()[:16],
            "options": _options(maker, number, name),
        },
        "code_version": f"0.1.0+g{_told_apart(str(number // 10)):08x}cafe",
        "hardware": hardware,
        "date": DATE.format(day=1 + number % 28),
        **({"declared": declared} if declared else {}),
    }  # fmt: skip
    if made.hostile and number % 4 == 2:
        texts = {"gpus": list(words.HOSTILE[:3]), "cpus": 8, "system": words.HOSTILE[3]}
        run |= {"hardware": texts, "code_version": words.HOSTILE[number // 4 % 10]}
        run["editor"] = {
            "name": words.HOSTILE[0],
            "options_hash": words.HOSTILE[1],
            "options": {text: text for text in words.HOSTILE if text.isascii()},
        }
    return run


def _options(maker: str, number: int, name: str) -> dict[str, Any]:
    known: dict[str, dict[str, Any]] = {
        "diffusers": {
            "pipeline": "LucyEditPipeline",
            "weights": {"name": name, "sha256": hashlib.sha256(name.encode()).hexdigest()},
            "versions": {"torch": "2.13.0", "diffusers": "0.36.0"},
            "device": _turn(words.GPUS, number), "dtype": "bfloat16", "offload": "none", "steps": 30 + number % 3 * 10,
            "guidance": 5.0, "seed": 0, "frames": 81, "multiple": 16, "size": "832x480", "fps": "source", "crf": 18,
        },
        "preset": {"checkpoint": name, "steps": 50, "guidance": 6.0, "seed": 42, "gpu": _turn(words.GPUS, number)},
        "folder": {"path": f"{name}-videos"},
        "hosted": {"provider": "Decart", "host": "api.decart.ai", "model": name.lower(), "resolution": "720p", "crf": 18},
        "command": {"cmd": "python edit.py --source {source} --prompt {instruction} --out {out}", "timeout": "1800"},
    }  # fmt: skip
    return known.get(maker, {})


def _masked(number: int) -> bool:
    return _every(number, 25, 10)


def _declared(made: Made, number: int, name: str) -> dict[str, Any]:
    """Return what the makers say of a model, as a `submission.toml` may."""
    frames, fps = KINDS[_kind(number)[0]]
    answers = ("no", "yes", "unknown")
    card: dict[str, dict[str, Any]] = {
        "model": {
            "name": name.replace("-", " "),
            "version": f"1.{number % 4}",
            "parameters": int(_turn(words.SIZES, number) * 1e9),
            "license": _turn(words.LICENSES, number),
            "link": f"https://example.org/{name}",
        },
        "made_by": {"who": ("authors", "others")[number % 2], "name": f"{_turn(words.FAMILIES, number)} Lab"},
        "settings": {"steps": 50, "guidance": 5.0, "seed": 0, "frames": frames, "fps": fps, "width": 1280, "height": 720},
        "training": {"data": "Licensed clips.", "sparkle": answers[number % 3], "openve_3m": answers[number % 2 * 2]},
    }  # fmt: skip
    if _maker(number) == "hosted":
        del card["model"]["parameters"]
    if _masked(number):
        card["inputs"] = {"masks": True}
    if made.hostile:
        card["model"] |= {
            "name": words.HOSTILE[0],
            "version": "`${window.pwned=12}`",
            "license": f"MIT {words.HOSTILE[1]}",
        }
        card["model"]["link"] = "https://example.org/?a='b'&c=(d)#[e]"
        card["made_by"]["name"] = words.HOSTILE[9]
        card["settings"]["notes"] = words.HOSTILE[7]
        card["training"]["data"] = words.HOSTILE[6]
    return card


# -- what the judges said --------------------------------------------------------------------------------------------


def _write_verdicts(store: Store, world: _World, which: tuple[int, str, int], edits: Mapping[int, Edit]) -> None:
    number, name, judge = which
    made, key = world.made, world.made.judges[judge]
    verdicts = _verdicts(world, number, judge, edits)
    folder = store.judged_dir(name, key)
    _write_lines(folder / "judgments.jsonl", verdicts)
    said = {
        "key": key,
        "identity": {
            "judge": "openai", "model": f"Made/{key}", "root": None, "revision": f"{_told_apart(key):08x}", "place": "local",
            "server": "0.11.2", "protocol": "sparkle", "media": "frames", "sampling": {"frames": 16, "max_pixels": 602112},
            "decoding": {"temperature": 0.0, "seed": 0, "max_tokens": 512}, "prompt": PROMPT.digest, "rubric": "1",
            "reader": "forgiving 1",
        },
        "notes": list(words.HOSTILE[:6]) if made.hostile else [],
        "rubric": PROMPT.rubric.to_data(),
        "prompt": PROMPT.text,
        "repeats": made.repeats,
        "price": None,
        "wishes": {},
        "code_version": f"0.1.0+g{_told_apart(key):08x}beef",
        "date": DATE.format(day=1 + number % 28),
        "usage": usage(verdicts),
    }  # fmt: skip
    store.write_judge(name, key, said)


def _raw(world: _World, number: int, judge: int) -> NDArray[np.int64]:
    """Return raw marks: samples × repeats × dimensions."""
    made, leaning = world.made, _leaning(world.made, number)
    own = np.random.default_rng([made.seed, 7, number])
    count = len(world.samples)
    effect = ON_SCENE * own.normal(size=int(world.scene.max()) + 1)[world.scene] + ON_SAMPLE * own.normal(size=count)
    by_dimension = OF_DIMENSION * own.normal(size=(count, len(KEYS)))
    rng = np.random.default_rng([made.seed, 8, _told_apart(made.judges[judge]), number])
    lean = 0.0 if judge == 0 or number == 0 else 0.3 * (-1) ** judge + float(rng.normal(0, 0.15))
    noise = NOISE * rng.normal(size=(count, made.repeats, len(KEYS)))
    fixed = (world.effect + effect)[:, None] + by_dimension
    latent = leaning.centre[world.theme] + leaning.spread * (fixed + lean)
    marks = _marks(latent[:, None, :] + leaning.spread * noise)
    obeys = rng.random((count, made.repeats, 1)) < (OBEDIENCE if number else 0.0)
    found: NDArray[np.int64] = np.where(obeys, _capped(marks), marks).astype(np.int64)
    return found


def _verdicts(world: _World, number: int, judge: int, edits: Mapping[int, Edit]) -> list[Judgment]:
    """Return all lines of one judge on a model, those that were asked again included."""
    made = world.made
    rng = np.random.default_rng([made.seed, 9, _told_apart(made.judges[judge]), number])
    chance, latency = (
        rng.random((len(world.samples), made.repeats)),
        rng.lognormal(1.0, 0.3, (len(world.samples), made.repeats)),
    )
    raw = _raw(world, number, judge).tolist()
    missing = made.no_verdict if _every(number, made.gappy, 5) else 0.0
    found: list[Judgment] = []
    for place, edit in edits.items():
        if not edit.ok:
            continue
        for repeat in range(made.repeats):
            luck = float(chance[place, repeat])
            if luck < missing / 2:
                continue  # never asked
            ask = _Asked(edit=edit, place=place, repeat=repeat, latency=round(float(latency[place, repeat]), 3))
            if luck < missing or luck > 0.997:
                found.append(_unanswered(made, ask))
            if luck >= missing:
                found.append(_verdict(made, ask, raw[place][repeat]))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """One question."""

    edit: Edit
    place: int
    repeat: int
    latency: float


def _unanswered(made: Made, ask: _Asked) -> Judgment:
    """Return a judgment without marks: no answer, or one that cannot be read."""
    hostile = f" {_turn(words.HOSTILE, ask.place)}" if made.hostile else ""
    kind, why = words.UNREADABLE if ask.place % 2 else words.UNANSWERED
    return Judgment(
        sample_id=ask.edit.sample_id,
        edit_sha256=ask.edit.sha256 or "",
        repeat=ask.repeat,
        reply=f"Brief reasoning: I cannot rate this.{hostile}" if kind == words.UNREADABLE[0] else None,
        error=f"{why}{hostile}",
        error_type=kind,
        attempts=3,
        failures=(f"{why}{hostile}",) * 3,
        seconds=round(3 * ask.latency, 3),
    )


def _verdict(made: Made, ask: _Asked, marks: Sequence[int]) -> Judgment:
    scores = dict(zip(KEYS, marks, strict=True))
    return Judgment(
        sample_id=ask.edit.sample_id,
        edit_sha256=ask.edit.sha256 or "",
        repeat=ask.repeat,
        reply=_reply(made, ask, scores),
        scores=Scores(marks=scores),
        prompt_tokens=14_200 + ask.place % 97,
        completion_tokens=72 + ask.place % 13,
        latency=ask.latency,
        seconds=round(ask.latency + 0.02, 3),
    )


LABELS = {key: PROMPT.rubric.label(key) for key in KEYS}


def _reply(made: Made, ask: _Asked, scores: Mapping[str, int]) -> str:
    """Return some thirty words of reasoning, then the six lines that the prompt asks for."""
    light = _turn(words.LIGHTS, ask.place + ask.repeat)
    said = ", ".join(levels[scores[key] - 1] for key, levels in words.SAID.items())
    extra = (
        f" {_turn((*words.HOSTILE, words.HALF_PAIR), ask.place // 3 + ask.repeat)}"
        if made.hostile and ask.place % 3 == 0
        else ""
    )
    lines = [f"Brief reasoning: {said}; {light}.{extra}", *(f"{LABELS[key]}: {mark}" for key, mark in scores.items())]
    return "\n".join(lines)


# -- what was measured -----------------------------------------------------------------------------------------------

FOUND = {
    "good": to_data(made_signals.GOOD),
    "source again": to_data(made_signals.made(change={"source_again": True, "how": "the same file", "psnr": 99.0})),
    "frozen": to_data(made_signals.made(background={"frozen": 0.95, "energy": 0.05})),
    "re-timed": to_data(made_signals.made(media={"timing": "re-timed", "off": 6.5, "rate": 1.2})),
    "gone": to_data(made_signals.made(subject={"found": False, "structure": None, "solid": None})),
    "text": to_data(made_signals.made(text={"new_lines": 2, "new_share": 0.01})),
}
ODDS = (0.825, 0.01, 0.08, 0.05, 0.015, 0.02)


def _measurements(world: _World, number: int, edits: Mapping[int, Edit]) -> list[Measurement]:
    """Return a measurement of every edit: most are good, some contradict the judge, a few could not be measured."""
    rng = np.random.default_rng([world.made.seed, 10, number])
    kinds = rng.choice(list(FOUND), size=len(world.samples), p=ODDS).tolist()
    jitter = rng.normal(0, 0.05, (len(world.samples), 3)).round(4).tolist()
    found = []
    for place, edit in edits.items():
        if not edit.ok:
            continue
        data = dict(FOUND["source again" if number == 0 else kinds[place]])
        data["change"] = {**data["change"], "changed": round(0.8 + jitter[place][0], 4)}
        data["background"] = {**data["background"], "sharpness": round(0.65 + jitter[place][1], 4)}
        data["harmony"] = {**data["harmony"], "luminance_after": round(4 + 40 * jitter[place][2], 4)}
        failed = place % 211 == 17
        found.append(
            Measurement(
                sample_id=edit.sample_id,
                edit_sha256=edit.sha256 or "",
                version=VERSION,
                signals=None if failed else data,
                error="no frame of the edit shows any structure" if failed else None,
                error_type="SignalsError" if failed else None,
                seconds=2.1,
            )
        )
    return found
