"""Rubbish archives and manifests, made at random: each is taken or refused in one line, and nothing lands outside.

    python -m tests.fuzz_archives --minutes 10

goes on for so long and prints how many of which outcome there were; `test_archives.py` does a short round.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sparkle_bench.errors import MachineError, SubmissionError
from sparkle_bench.records import Sample
from sparkle_bench.submission import archive, layout
from tests import hostile_archives as hostile
from tests.hostile_archives import Member

LIMITS = archive.Limits(
    entries=40, small=100_000, video_bytes=1_000_000, text_bytes=20_000, total_bytes=2_000_000, reserve=0
)
LONGEST = 600
TOKENS = [
    "a.mp4", "A.MP4", "b.mov", "manifest.json", "manifest.csv", "submission.toml", "README.md", ".", "..", "", "/", "\\",
    "C:", "__MACOSX", "._a.mp4", ".DS_Store", "é", "é", "ß", "ss", "ﬁ", "\0", "\n", "\x1b", "\u202e", "\u200d", "x" * 250,
    "x" * 256, " ", "a.mp4.", "a.mp4 ", "time", "Time", "\udcff", "CON", "a:b",
]  # fmt: skip
ENDS = (".mp4", ".MOV", ".txt")
SAMPLES = [
    Sample(
        id=f"Sparkle_time_{number:06d}",
        benchmark="sparkle",
        theme="time",
        subtheme="season",
        scene="a meadow in winter",
        instruction="Replace the background.",
        source=f"source_videos/time/Sparkle_time_{number:06d}.mp4",
        sha256="0" * 64,
    )
    for number in (1, 2)
]


def unpacks(content: bytes, suffix: str, around: Path) -> str:
    """Unpack bytes inside a folder, hold what must hold of every archive, and return what came of it."""
    packed = around / f"hand-in{suffix}"
    into = around / "scratch"
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir()
    packed.write_bytes(content)
    before = outside(around, into)
    outcome = in_one_line(lambda: archive.unpack(packed, into, LIMITS))
    assert outside(around, into) == before
    written = [path for path in into.rglob("*") if not path.is_dir() or path.is_symlink()]
    assert all(path.is_file() and not path.is_symlink() for path in written)
    assert sum(path.stat().st_size for path in written) <= LIMITS.total_bytes
    assert all(layout.is_video(p.name) or p.name.lower() in (*layout.MANIFESTS, layout.CARD) for p in written)
    if isinstance(outcome, archive.Unpacked):
        assert outcome.files == len(written)
        assert outcome.bytes == sum(path.stat().st_size for path in written)
        return "unpacked, some files" if written else "unpacked, nothing in it"
    return str(outcome)


def outside(around: Path, into: Path) -> list[tuple[str, int]]:
    """Return what lies beside the scratch folder and above it."""
    places = [*around.rglob("*"), *around.parent.glob("*")]
    return sorted((str(p), p.stat().st_mtime_ns) for p in places if p not in (into, around) and into not in p.parents)


def in_one_line(call: Callable[[], object]) -> Any:
    """Return what a call returns, or how it refuses; it never fails in another way."""
    try:
        return call()
    except (SubmissionError, MachineError) as error:
        message = str(error)
        assert message.strip()
        assert len(message) < LONGEST, message
        assert message.isprintable(), repr(message)
        return "refused" if isinstance(error, SubmissionError) else "machine"


# -- archives ----------------------------------------------------------------------------------------------------------


def whole(suffix: str) -> bytes:
    """Return a small archive with nothing wrong."""
    names = ("hand-in/a.mp4", "hand-in/b.mp4", "hand-in/manifest.json", "hand-in/é.mov", "hand-in/README.md")
    members = [Member(name=name.encode(), content=hostile.VIDEO * 20, method=hostile.DEFLATED) for name in names]
    if suffix != ".zip":
        members.append(Member(name=b"hand-in/" + b"long" * 40 + b".mp4"))
    return hostile.archive(members, suffix)


WHOLE = {suffix: whole(suffix) for suffix in (".zip", ".tar")}
suffixes = st.sampled_from([".zip", ".tar", ".tgz"])
names = st.lists(st.sampled_from(TOKENS) | st.text(max_size=3), max_size=5).map("/".join)
raw_names = names.map(lambda name: name.encode("utf-8", "surrogateescape" if "\udcff" in name else "replace"))
numbers = st.integers(0, 2**32 - 1) | st.integers(0, 700)
edits = st.lists(st.tuples(st.sampled_from(["set", "cut", "drop", "double"]), st.floats(0, 1), st.binary(max_size=9)),
                 min_size=1, max_size=6)  # fmt: skip


@st.composite
def spoiled(draw: st.DrawFn) -> tuple[bytes, str]:
    """A small archive with bytes changed, taken out, put in or cut off."""
    suffix = draw(suffixes)
    content = bytearray(whole(".tar" if suffix == ".tgz" else suffix))
    inner = suffix == ".tgz" and draw(st.booleans())
    if suffix == ".tgz" and not inner:
        content = bytearray(whole(suffix))
    for how, where, what in draw(edits):
        at = int(where * len(content))
        if how == "set":
            content[at : at + len(what)] = what
        elif how == "drop":
            del content[at : at + 1 + len(what) * 60]
        elif how == "double":
            content[at:at] = content[at : at + len(what) * 100]
        else:
            del content[at:]
    if suffix == ".tar" or inner:
        content = bytearray(summed(bytes(content)))
    return (gzip.compress(bytes(content), 1) if inner else bytes(content)), suffix


def quickly_spoiled(seed: int) -> tuple[bytes, str]:
    """The same without hypothesis, which takes ten times as long to think of it."""
    chance = random.Random(seed)
    suffix = chance.choice([".zip", ".tar", ".tgz"])
    content = bytearray(WHOLE[".tar" if suffix == ".tgz" else suffix])
    for _ in range(chance.choice([1, 1, 1, 2, 3, 8])):
        at = chance.randrange(len(content) + 1)
        # Headers are where rubbish matters: the end of a zip, the first bytes of a tar's blocks.
        if chance.random() < 0.5:
            at = len(content) - chance.randrange(600) if suffix == ".zip" else at // 512 * 512 + chance.randrange(160)
        what = chance.choice(
            [chance.randbytes(chance.choice([1, 1, 2, 4, 8])), b"\xff" * 4, b"\x80" + b"\xff" * 7, b""]
        )
        content[at : at + len(what)] = what
        if not what:
            del content[at : at + chance.choice([1, 30, 512, 10_000])]
    if suffix == ".zip":
        return bytes(content), suffix
    plain = summed(bytes(content)) if chance.random() < 0.7 else bytes(content)
    if suffix == ".tar":
        return plain, suffix
    packed = bytearray(gzip.compress(plain, 1, mtime=0))
    if chance.random() < 0.3:
        packed[chance.randrange(len(packed))] ^= 1 << chance.randrange(8)
    return bytes(packed), suffix


def summed(content: bytes) -> bytes:
    """Give each tar header among the blocks its right check sum, so that rubbish in it is believed."""
    blocks = [content[at : at + 512] for at in range(0, len(content), 512)]
    for number, block in enumerate(blocks):
        if block[257:262] == b"ustar":
            block = block[:148] + b" " * 8 + block[156:]
            blocks[number] = block[:148] + b"%06o\0 " % sum(block) + block[156:]
    return b"".join(blocks)


@st.composite
def made(draw: st.DrawFn) -> tuple[bytes, str]:
    """An archive of odd members with lies in their headers."""
    suffix = draw(suffixes)
    members = draw(st.lists(member(suffix), max_size=6))
    if suffix == ".zip":
        return hostile.zip_bytes(members, directory_bytes=draw(seldom(None, numbers))), suffix
    blocks: list[Member | bytes] = []
    for each in members:
        blocks += draw(seldom([], st.lists(extended(), max_size=2), of=8))
        blocks.append(each)
    plain = hostile.tar_bytes(blocks, end=bytes(draw(seldom(1024, st.sampled_from([0, 512, 10_240])))))
    return (plain if suffix == ".tar" else gzip.compress(plain, 1)), suffix


def seldom(usual: Any, odd: st.SearchStrategy[Any], *, of: int = 16) -> st.SearchStrategy[Any]:
    """The usual value, and one time in so many an odd one."""
    return st.integers(1, of).flatmap(lambda number: odd if number == of else st.just(usual))


def member(suffix: str) -> st.SearchStrategy[Member]:
    """A member of whom at most a few things are untrue."""
    good = st.sampled_from(
        [f"{folder}{n}{end}".encode() for folder in ("", "x/", "y/z/") for n in range(9) for end in ENDS]
    )
    content = st.binary(max_size=600) | st.sampled_from([b"", bytes(20_000)])
    return st.builds(
        Member,
        name=good | good | good | raw_names,
        content=seldom(b"", st.sampled_from([bytes(150_000), bytes(1_100_000)]), of=30).flatmap(
            lambda large: st.just(large) if large else content
        ),
        kind=seldom(b"0", st.sampled_from([bytes([n]) for n in b"\x001234567SDMLKxgXVN"]), of=6),
        mode=seldom(0o100644, st.sampled_from([0, 0o40755, hostile.LINK, hostile.PIPE, hostile.DEVICE, 0o140777])),
        method=st.sampled_from([0, 8]).flatmap(lambda usual: seldom(usual, st.sampled_from([0, 8, 9, 12, 14, 93]))),
        flags=seldom(0x800, st.sampled_from([0, 8, 1, 0x20, 0x40, 0x2000])),
        size=seldom(None, st.integers(0, 2**32 - 1 if suffix == ".zip" else 2**64)),
        packed=seldom(None, numbers),
        crc=seldom(None, numbers),
        local_name=seldom(None, raw_names),
        offset=seldom(None, st.integers(0, 2000)),
    )


def extended() -> st.SearchStrategy[bytes]:
    """A header that says something, true or not, of the next member."""
    sizes = st.integers(-(2**70), 2**70).map(lambda number: str(number).encode())
    records = st.one_of(
        st.builds(hostile.record, st.just(b"path"), raw_names),
        st.builds(hostile.record, st.just(b"size"), sizes | st.binary(max_size=5)),
        st.builds(
            hostile.record, st.sampled_from([b"GNU.sparse.major", b"hdrcharset", b"linkpath"]), st.binary(max_size=5)
        ),
        st.binary(max_size=40),
    )
    kinds = st.sampled_from([b"x", b"x", b"g", b"L", b"K"])
    return st.builds(hostile.extended, st.lists(records, max_size=3).map(b"".join), kinds)


archives = spoiled() | made()


# -- manifests ---------------------------------------------------------------------------------------------------------

ids = st.sampled_from([sample.id for sample in SAMPLES]) | st.text(max_size=8)
paths = names | st.sampled_from(["a.mp4", "x/../../a.mp4", "/etc/hostname", "~/a.mp4"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | paths,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
row = st.fixed_dictionaries(
    {"id": ids | values, "path": paths | values}, optional={"sha256": values, "bytes": values, "x": values}
)


@st.composite
def manifests(draw: st.DrawFn) -> tuple[str, bytes]:
    """The name and content of a manifest in which something may be odd."""
    name = draw(st.sampled_from(layout.MANIFESTS))
    if draw(st.integers(0, 9)) == 0:
        return name, draw(st.binary(max_size=200))
    rows = draw(st.lists(row | values, max_size=5))
    if name.endswith(".json"):
        whole = {"format": draw(st.sampled_from([1, 1, 1, 2]) | values), "videos": draw(st.just(rows) | values)}
        text = json.dumps(whole | {"benchmark": draw(values)})
    elif name.endswith(".jsonl"):
        text = "\n".join(json.dumps(each) for each in rows)
    else:
        head = draw(st.sampled_from(["id,path", "id,path,sha256", "id", "path", '"id","path"', "id,path,id"]))
        text = "\n".join([head, *(csv_line(each) for each in rows)])
    content = text.encode("utf-8", "replace")
    cut = draw(st.none() | st.none() | st.integers(0, len(content)))
    return name, content[:cut] + draw(st.just(b"") | st.binary(max_size=4))


def csv_line(each: Any) -> str:
    return ",".join(str(value) for value in each.values()) if isinstance(each, dict) else str(each)


def finds(name: str, content: bytes, around: Path) -> str:
    """Look into a folder with a manifest, hold what must hold, and return what came of it."""
    folder = around / "folder"
    if not folder.is_dir():
        folder.mkdir(parents=True)
        (folder / "a.mp4").write_bytes(hostile.VIDEO)
        (around / "a.mp4").write_bytes(hostile.VIDEO)
    manifest = folder / name
    manifest.write_bytes(content)
    try:
        found = in_one_line(lambda: layout.find(folder, SAMPLES, inside=True))
    finally:
        manifest.unlink()
    if isinstance(found, str):
        return found
    assert all(path.resolve().is_relative_to(folder.resolve()) for path in found.videos.values())
    return f"read, {len(found.videos)} videos"


# -- for so long -------------------------------------------------------------------------------------------------------


def one_round(around: Path, most: settings) -> Counter[str]:
    """Try so many archives and manifests and count what came of them; what is found is raised in its smallest form."""
    seen: Counter[str] = Counter()

    @most
    @given(case=archives)
    def one_archive(case: tuple[bytes, str]) -> None:
        seen[f"{case[1]} {unpacks(*case, around / 'archives')}"] += 1

    @most
    @given(case=manifests())
    def one_manifest(case: tuple[str, bytes]) -> None:
        seen[f"{case[0]} {finds(*case, around / 'manifests')}"] += 1

    for folder in ("archives", "manifests"):
        (around / folder).mkdir(exist_ok=True)
    one_archive()
    one_manifest()
    return seen


def quick_round(around: Path, seeds: range) -> Counter[str]:
    """Try an archive for each seed; the seed of what is found is printed."""
    seen: Counter[str] = Counter()
    for seed in seeds:
        content, suffix = quickly_spoiled(seed)
        try:
            seen[f"{suffix} {unpacks(content, suffix, around / 'archives')}"] += 1
        except BaseException:
            print(f"quickly_spoiled({seed})")  # noqa: T201
            raise
    return seen


def main() -> None:
    """Go on for so many minutes and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    minutes = parser.parse_args().minutes
    seed = time.time_ns() % 10**12
    most = settings(max_examples=500, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    begun, total = time.monotonic(), Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        while time.monotonic() < begun + 60 * minutes:
            total += one_round(Path(folder), most)
            total += quick_round(Path(folder), range(seed, seed + 5000))
            seed += 5000
    for outcome, count in sorted(total.items()):
        print(f"{count:8} {outcome}")  # noqa: T201
    print(f"{total.total():8} in {time.monotonic() - begun:.0f} s, nothing found")  # noqa: T201


if __name__ == "__main__":
    main()
