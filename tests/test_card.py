"""What makers declare in a `submission.toml`: read strictly and in bounds, kept in `run.json`, shipped with a template."""

from __future__ import annotations

import json
import os
import re
import socket
import sys
import tracemalloc
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkle_bench import benchmark, editors, run
from sparkle_bench.editors import Editor
from sparkle_bench.editors import preset as presets
from sparkle_bench.errors import EditorError, SparkleError, SubmissionError
from sparkle_bench.records import Sample
from sparkle_bench.store import Store
from sparkle_bench.submission import card
from sparkle_bench.submission.card import Card, Inputs, Model, Training
from sparkle_bench.submission.card_rules import RULES
from tests.makers import write_benchmark

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FULL = """
[model]
name = "Wan2.1 VACE — 夜明け"
version = "1.0"
parameters = "1.3B"
license = "Apache-2.0"
weights = "open"
link = "https://example.org/vace?a=1&b=(2)#top"

[made_by]
who = "others"
name = "Example Lab"

[settings]
steps = 50
guidance = 5.5
seed = 18446744073709551615
frames = 81
fps = 16
width = 1280
height = 704
notes = \"\"\"
one try
per video\"\"\"

[training]
data = "2 M clips"
sparkle = "no"
openve_3m = "unknown"

[inputs]
masks = true
first_frame = false
reference_image = true
"""
FULL_DATA = {
    "model": {
        "name": "Wan2.1 VACE — 夜明け",
        "version": "1.0",
        "parameters": 1_300_000_000,
        "license": "Apache-2.0",
        "weights": "open",
        "link": "https://example.org/vace?a=1&b=(2)#top",
    },
    "made_by": {"who": "others", "name": "Example Lab"},
    "settings": {
        "steps": 50,
        "guidance": 5.5,
        "seed": 2**64 - 1,
        "frames": 81,
        "fps": 16,
        "width": 1280,
        "height": 704,
        "notes": "one try per video",
    },
    "training": {"data": "2 M clips", "sparkle": "no", "openve_3m": "unknown"},
    "inputs": {"masks": True, "first_frame": False, "reference_image": True},
}


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / card.NAME
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refusal(folder: Path, content: str | bytes) -> str:
    with pytest.raises(SubmissionError) as caught:
        card.read(written(folder, content))
    return str(caught.value)


# -- what can be said ------------------------------------------------------------------------------------------------


def test_all_that_is_declared_is_kept_in_a_fixed_order(tmp_path: Path) -> None:
    found = card.read(written(tmp_path, FULL))
    assert card.to_data(found) == FULL_DATA
    assert json.dumps(card.to_data(found)) == json.dumps(FULL_DATA)


def test_what_was_kept_is_read_back_as_it_was(tmp_path: Path) -> None:
    found = card.read(written(tmp_path, FULL))
    again = card.from_data(json.loads(json.dumps(card.to_data(found))))
    assert again == found


def test_a_name_is_enough_and_nothing_is_made_up(tmp_path: Path) -> None:
    found = card.read(written(tmp_path, '[model]\nname = "a"\n'))
    assert found == Card(model=Model(name="a"))
    assert card.to_data(found) == {"model": {"name": "a"}}


def test_an_empty_text_declares_nothing(tmp_path: Path) -> None:
    content = '[model]\nname = "a"\nlink = ""\nparameters = " "\n[inputs]\nother = ""\n[made_by]\nwho = ""\n'
    assert card.read(written(tmp_path, content)) == Card(model=Model(name="a"))


def test_other_line_ends_and_a_byte_order_mark_make_no_difference(tmp_path: Path) -> None:
    windows = b"\xef\xbb\xbf" + FULL.replace("\n", "\r\n").encode()
    assert card.to_data(card.read(written(tmp_path, windows))) == FULL_DATA


SIZES: dict[str, tuple[str, int]] = {
    "billions": ('"14B"', 14_000_000_000),
    "a fraction of billions": ('"1.3B"', 1_300_000_000),
    "with a space, in small letters": ('"850 m"', 850_000_000),
    "thousands": ('"1.5K"', 1500),
    "trillions": ('"1T"', 10**12),
    "a whole number": ("5_000_000_000", 5_000_000_000),
    "in powers of ten": ("1.3e9", 1_300_000_000),
}


@pytest.mark.parametrize(("said", "count"), SIZES.values(), ids=SIZES)
def test_a_number_of_parameters_is_one_number_however_it_is_written(tmp_path: Path, said: str, count: int) -> None:
    found = card.read(written(tmp_path, f'[model]\nname = "a"\nparameters = {said}\n'))
    assert found.model.parameters == count
    assert type(found.model.parameters) is int


TRACKS: dict[str, tuple[Inputs, str]] = {
    "nothing said": (Inputs(), "instruction"),
    "nothing more": (Inputs(masks=False, first_frame=False, reference_image=False), "instruction"),
    "masks": (Inputs(masks=True), "masks"),
    "first frame": (Inputs(first_frame=True), "first frame"),
    "two": (Inputs(reference_image=True, masks=True), "masks + reference image"),
    "something else": (Inputs(other="poses of everybody"), "other"),
    "all": (
        Inputs(masks=True, first_frame=True, reference_image=True, other="a"),
        "masks + first frame + reference image + other",
    ),
}


@pytest.mark.parametrize(("inputs", "track"), TRACKS.values(), ids=TRACKS)
def test_the_track_is_what_the_model_was_given(inputs: Inputs, track: str) -> None:
    assert Card(model=Model(name="a"), inputs=inputs).track == track


ANSWERS = ("yes", "no", "unknown", None)


@pytest.mark.parametrize("sparkle", ANSWERS)
@pytest.mark.parametrize("openve_3m", ANSWERS)
def test_one_overlap_is_enough_and_only_two_denials_deny(sparkle: Any, openve_3m: Any) -> None:
    said = Card(model=Model(name="a"), training=Training(sparkle=sparkle, openve_3m=openve_3m)).overlap
    both = {sparkle, openve_3m}
    assert said == ("yes" if "yes" in both else "no" if both == {"no"} else "unknown")


@pytest.mark.parametrize(
    ("said", "weights"), [('"open"', "open"), ('"closed"', "closed"), ('""', "unknown"), (None, "unknown")]
)
def test_weights_are_open_or_closed_or_nobody_says(tmp_path: Path, said: str | None, weights: str) -> None:
    line = "" if said is None else f"weights = {said}\n"
    assert card.read(written(tmp_path, HEAD + line)).weights == weights


@pytest.mark.parametrize("name", presets.names())
def test_weights_of_a_known_model_are_open_unless_it_is_hosted(name: str) -> None:
    found = presets.find(name)
    assert found is not None
    hosted = found.needs.key is not None
    anybodys = not hosted and not found.options.get("model_path") and found.kind == "diffusers"  # any pipeline at all
    assert found.declared.weights == ("unknown" if anybodys else "closed" if hosted else "open")


# -- what cannot -----------------------------------------------------------------------------------------------------

HEAD = '[model]\nname = "a"\n'
REFUSED: dict[str, tuple[str, str]] = {
    "nothing at all": ("", "model.name is missing or empty; it is needed"),
    "no name": ('[model]\nversion = "1"\n', "model.name is missing or empty"),
    "an empty name": ('[model]\nname = "  "\n', "model.name is missing or empty"),
    "a name of signs alone": ('[model]\nname = "--"\n', "model.name: expected the model's name"),
    "a name that is a number": ("[model]\nname = 14\n", "expected the model's name, at most 100 characters; found 14"),
    "a long name": (f'[model]\nname = "{"a" * 101}"\n', "found a text of 101 characters"),
    "a section misspelt": (HEAD + "[setings]\nsteps = 1\n", "unknown section 'setings'; did you mean settings?"),
    "a section unlike any": (HEAD + "[zzz]\n", "known: model, made_by, settings, training, inputs"),
    "a key misspelt": (HEAD + "[settings]\nstep = 1\n", "unknown key 'step' in [settings]; did you mean steps?"),
    "a key of another section": (HEAD + "steps = 1\n", "unknown key 'steps' in [model]; it belongs under [settings]"),
    "a key outside of sections": ('license = "MIT"\n' + HEAD, "unknown section 'license'; it belongs under [model]"),
    "a section that is a text": ('model = "Wan"\n', "model: expected a section [model], found 'Wan'"),
    "a section that is a list": ('[[model]]\nname = "a"\n', "expected a section [model], found a list"),
    "British spelling": (HEAD + 'licence = "MIT"\n', "did you mean license?"),
    "steps in words": (HEAD + '[settings]\nsteps = "many"\n', "settings.steps: expected a whole number from 1 to 100000;"),
    "half a step": (HEAD + "[settings]\nsteps = 1.5\n", "expected a whole number from 1 to 100000; found 1.5"),
    "no step": (HEAD + "[settings]\nsteps = 0\n", "found 0"),
    "true steps": (HEAD + "[settings]\nsteps = true\n", "found true"),
    "guidance that is no number": (HEAD + "[settings]\nguidance = nan\n", "expected a number from 0 to 1000; found nan"),
    "endless guidance": (HEAD + "[settings]\nguidance = inf\n", "found inf"),
    "a list of frames": (HEAD + "[settings]\nframes = [81, 121]\n", "found a list"),
    "a date for a seed": (HEAD + "[settings]\nseed = 2026-01-02\n", "found a date or time"),
    "a section for notes": (HEAD + "[settings.notes]\na = 1\n", "expected a text, at most 2000 characters; found a section"),
    "an enormous seed": (HEAD + f"[settings]\nseed = 0x{'f' * 20_000}\n", "found a huge number"),
    "a seed of too many digits": (HEAD + f"[settings]\nseed = {'9' * 5_000}\n", "is not valid TOML"),
    "fourteen parameters": (HEAD + "parameters = 14\n", 'such as "14B" or 1300000000; found 14'),
    "parameters and a half": (HEAD + "parameters = 1300000000.5\n", "found 1300000000.5"),
    "parameters of an unknown unit": (HEAD + 'parameters = "14G"\n', "found '14G'"),
    "digits of another script": (HEAD + 'parameters = "１４B"\n', "found '１４B'"),
    "an overlap that is true": (HEAD + "[training]\nsparkle = true\n", 'expected "yes" or "no" or "unknown"; found true'),
    "masks in words": (HEAD + '[inputs]\nmasks = "yes"\n', "expected true or false; found 'yes'"),
    "nothing else, in words": (HEAD + '[inputs]\nother = "None"\n', "left out if there was nothing else"),
    "made by nobody known": (HEAD + '[made_by]\nwho = "me"\n', 'expected "authors" or "others"; found \'me\''),
    "weights ajar": (HEAD + 'weights = "partly"\n', 'model.weights: expected "open" or "closed"; found \'partly\''),
    "weights that are true": (HEAD + "weights = true\n", 'expected "open" or "closed"; found true'),
    "a formula for a licence": (HEAD + "license = \"=cmd|'/c calc'!A1\"\n", "a text that begins with a letter or digit"),
    "a script as a link": (HEAD + 'link = "javascript:alert(1)"\n', "model.link: expected an address"),
    "a script behind a space": (HEAD + 'link = "https://a.org/ onclick=alert(1)"\n', "expected an address"),
    "a script behind a line break": (HEAD + 'link = "https://a.org/\\n<b>"\n', "expected an address"),
    "a link out of its attribute": (HEAD + 'link = "https://a.org/\\" onclick=\\"alert(1)"\n', "expected an address"),
    "a link with a user": (HEAD + 'link = "https://user:key@a.org/"\n', "without a user"),
    "a link to nowhere": (HEAD + 'link = "https:///a"\n', "expected an address"),
    "a link with a wild port": (HEAD + 'link = "https://a.org:99999/"\n', "expected an address"),
    "a link with a broken bracket": (HEAD + 'link = "https://[a.org/"\n', "expected an address"),
    "a link without a scheme": (HEAD + 'link = "//a.org/"\n', "expected an address"),
    "a local file": (HEAD + 'link = "file:///etc/passwd"\n', "expected an address"),
    "a bell": (HEAD + 'version = "a\\u0007b"\n', "found a text with the character U+0007"),
    "an escape sequence": (HEAD + 'version = "\\u001b[2J"\n', "found a text with the character U+001B"),
    "a switch of direction": (HEAD + 'version = "a\\u202Eb"\n', "found a text with the character U+202E"),
    "an invisible space": (HEAD + 'version = "a\\u200Bb"\n', "found a text with the character U+200B"),
    "an unknown key with a bell": (HEAD + '"a\\u0007\\nb" = 1\n', "unknown key 'a\\x07\\nb'"),
    "no TOML": (HEAD + "steps: 50\n", "(at line 3, column 6)"),
    "a key twice": (HEAD + 'name = "b"\n', "(at line 3"),
    "a section twice": (HEAD + HEAD, "(at line 3"),
    "cut off": ('[model]\nname = "a', "(at "),
    "nested without end": ("a = " + "[" * 30_000, "nested too deeply"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_said_is_refused_in_one_line_that_helps(tmp_path: Path, content: str, message: str) -> None:
    said = refusal(tmp_path, content)
    assert message in said
    assert said.startswith(str(tmp_path / card.NAME))
    assert "\n" not in said
    assert said.isprintable()
    assert len(said) < 400 + len(str(tmp_path))


@pytest.mark.parametrize("key", [(section, key) for section, rules in RULES.items() for key in rules], ids=".".join)
@pytest.mark.parametrize("value", ["[]", "{}", "12:00:00", '"' + "x " * 5_000 + 'x"', "-1e300"], ids=lambda v: v[:9])
def test_no_key_takes_what_has_no_sense(tmp_path: Path, key: tuple[str, str], value: str) -> None:
    section, name = key
    head = "" if key == ("model", "name") else HEAD if section == "model" else HEAD + f"[{section}]\n"
    said = refusal(tmp_path, f"{head or '[model]'}\n{name} = {value}\n")
    assert f"{section}.{name}: expected {RULES[section][name].expected}; found " in said


HEAVY: dict[str, str] = {
    "a key of very many parts": "a" + ".a" * 32_000 + " = 1",
    "a section of very many parts": "[a" + ".a" * 32_000 + "]",
    "a key of very many quoted parts": "'a'" + " . 'a'" * 10_000 + " = 1",
    "many keys of many parts": "".join(f"a{n}{'.a' * 99} = 1\n" for n in range(300)),
    "a list without end": "a = [" + "1," * 32_000,
    "many sections": "".join(f"[a.b{n}]\n" for n in range(5_500)),
}


@pytest.mark.parametrize("content", HEAVY.values(), ids=HEAVY)
def test_what_is_made_to_be_slow_to_read_costs_little_memory(tmp_path: Path, content: str) -> None:
    path = written(tmp_path, content[: card.MOST_BYTES])
    tracemalloc.start()
    try:
        with pytest.raises(SubmissionError):
            card.read(path)
        assert tracemalloc.get_traced_memory()[1] < 100 << 20
    finally:
        tracemalloc.stop()


def test_text_of_another_encoding_is_named(tmp_path: Path) -> None:
    assert "is not UTF-8 text" in refusal(tmp_path, HEAD.encode("utf-16"))


def test_a_missing_file_says_how_to_write_one(tmp_path: Path) -> None:
    with pytest.raises(SubmissionError, match="no such file; `sparkle-bench validate --init` writes one"):
        card.read(tmp_path / card.NAME)


def test_a_file_of_any_size_costs_no_memory(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD)
    os.truncate(path, 8 << 30)  # sparse: it takes no disk
    with pytest.raises(SubmissionError, match="larger than 64 KiB"):
        card.read(path)


def test_the_largest_file_is_taken_and_a_byte_more_is_not(tmp_path: Path) -> None:
    comment = HEAD + "#" * (card.MOST_BYTES - len(HEAD))
    assert card.read(written(tmp_path, comment)).model.name == "a"
    assert "larger than 64 KiB" in refusal(tmp_path, comment + "#")


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_folder(path: Path) -> None:
    path.mkdir()


def a_socket(path: Path) -> None:
    where = Path.cwd()
    os.chdir(path.parent)  # the name of a socket is short
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(where)


def an_endless_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def a_link_to_itself(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize("make", [a_pipe, a_folder, a_socket, an_endless_device, a_link_to_itself])
def test_what_is_no_file_is_not_waited_for(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / card.NAME)
    with pytest.raises(SubmissionError, match="no such file"):
        card.read(tmp_path / card.NAME)


PARTS = st.sampled_from(
    [*RULES, *(key for rules in RULES.values() for key in rules), "[", "]", "=", '"', "\n", ".", "#", "1", "true", "{", "}",
     "'''", "\\u0000", ",", "-", "e9", "inf", "1979-05-27", "\r", "\t", "é", "\x00"]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(parts=st.lists(PARTS, max_size=40))
def test_rubbish_is_refused_or_read_but_never_worse(tmp_path_factory: pytest.TempPathFactory, parts: list[str]) -> None:
    path = written(tmp_path_factory.getbasetemp(), "".join(parts))
    try:
        found = card.read(path)
    except SubmissionError as error:
        assert "\n" not in str(error)
    else:
        assert card.from_data(card.to_data(found)) == found


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just(10**400) | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
SECTIONS = {name: st.dictionaries(st.sampled_from(sorted(rules)), JSON, max_size=4) for name, rules in RULES.items()}
NAMED = st.builds(lambda said, name: {**said, "name": name}, SECTIONS["model"], JSON | st.just("a"))
SAID = st.fixed_dictionaries(
    {"model": NAMED}, optional={name: SECTIONS[name] | JSON for name in RULES if name != "model"}
)


@settings(max_examples=400, deadline=None)
@given(data=SAID | JSON)
def test_any_json_is_refused_or_comes_back_as_the_same_text(data: Any) -> None:
    try:
        found = card.from_data(data)
    except SubmissionError as error:
        str(error).encode()
        assert str(error).isprintable()
    else:
        assert card.from_data(json.loads(json.dumps(card.to_data(found), allow_nan=False).encode())) == found
        json.dumps(card.to_data(found), ensure_ascii=False).encode()


TEXTS = [(s, key) for s, rules in RULES.items() for key, rule in rules.items() if rule.kept("https://example.org/a")]


@pytest.mark.parametrize("key", TEXTS, ids=".".join)
@pytest.mark.parametrize(
    "strange", ["\x00", "\x1b", "\x7f", "\x9b", "\u202e", "\u2066", "\ufeff", "\ue000", "\ud800"], ids=ascii
)
def test_no_text_holds_a_character_that_is_none(key: tuple[str, str], strange: str) -> None:
    section, name = key
    said = {"model": {"name": "a"}}
    said[section] = {**said.get(section, {}), name: f"https://example.org/a{strange}b"}
    with pytest.raises(SubmissionError, match=f"{section}.{name}: expected .* found a text with the character U\\+"):
        card.from_data(said)


def test_letters_of_every_script_and_joined_pictures_are_text() -> None:
    for name in ("夜明け", "模型-1", "نموذج", "मॉडल", "می‌خواهم", "👩‍🔬 lab"):
        assert card.from_data({"model": {"name": name}}).model.name == name


# -- the template ----------------------------------------------------------------------------------------------------


def taken_off(text: str) -> str:
    """The template with every commented key made a key."""
    return re.sub(r"^#(?=\w+ = )", "", text, flags=re.MULTILINE)


def test_the_template_reads_once_the_name_is_filled_in(tmp_path: Path) -> None:
    path = card.write_template(tmp_path)
    assert path == tmp_path / "submission.toml"
    assert "model.name is missing or empty; it is needed" in refusal(tmp_path, path.read_text(encoding="utf-8"))
    filled = path.read_text(encoding="utf-8").replace('name = ""', 'name = "a"')
    assert card.read(written(tmp_path, filled)) == Card(model=Model(name="a"))


def test_the_template_has_every_key_and_every_example_reads(tmp_path: Path) -> None:
    whole = taken_off(card.template()).replace('name = ""', 'name = "a"')
    assert {name: list(keys) for name, keys in tomllib.loads(whole).items()} == {n: list(r) for n, r in RULES.items()}
    found = card.read(written(tmp_path, whole))
    assert {name: list(keys) for name, keys in card.to_data(found).items()} == {n: list(r) for n, r in RULES.items()}


def test_every_key_of_the_template_follows_a_comment() -> None:
    lines = card.template().splitlines()
    is_key = [bool(re.match(r"#?\w+ = ", line)) for line in lines]
    for number, line in enumerate(lines):
        if is_key[number]:
            above = next(n for n in range(number, -1, -1) if not is_key[n])
            assert lines[above].startswith("# "), line


def test_a_template_never_takes_the_place_of_what_is_there(tmp_path: Path) -> None:
    path = written(tmp_path, "mine")
    with pytest.raises(SubmissionError, match="exists already"):
        card.write_template(tmp_path)
    assert path.read_text() == "mine"
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SubmissionError, match="exists already"):
        card.write_template(tmp_path)
    assert not (tmp_path / "elsewhere").exists()
    with pytest.raises(SubmissionError, match="cannot write"):
        card.write_template(tmp_path / "nowhere")


# -- into run.json ---------------------------------------------------------------------------------------------------

NOW = datetime(2026, 1, 2, tzinfo=timezone.utc)


class Declaring:
    """An editor that declares what a test wants."""

    def __init__(self, said: Any) -> None:
        self.said = said

    def edit(self, sample: Sample, out: Path) -> None:
        raise AssertionError("nothing is edited here")

    def declared(self) -> Any:
        return self.said


class Silent:
    """An editor that knows of no card."""

    def edit(self, sample: Sample, out: Path) -> None:
        raise AssertionError("nothing is edited here")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> benchmark.Benchmark:
    folder = tmp_path_factory.mktemp("bench")
    return benchmark.load(write_benchmark(folder, samples_per_theme=1, themes=("location",), frames=2))


def started(store: Store, bench: benchmark.Benchmark, editor: Editor, *, now: datetime = NOW) -> dict[str, Any]:
    run.start(store, "mine", bench, run.Made(editor=editor, name="e", options={}), now=now)
    found = store.read_run("mine")
    assert found is not None
    return found


def test_a_declaration_goes_into_run_json(tmp_path: Path, bench: benchmark.Benchmark) -> None:
    found = started(Store(root=tmp_path), bench, Declaring(FULL_DATA))
    assert found["declared"] == FULL_DATA


@pytest.mark.parametrize("editor", [Silent(), Declaring({}), Declaring(None)], ids=["silent", "empty", "none"])
def test_without_a_declaration_run_json_says_nothing(
    tmp_path: Path, bench: benchmark.Benchmark, editor: Editor
) -> None:
    assert "declared" not in started(Store(root=tmp_path), bench, editor)


def test_the_newest_declaration_counts_and_the_same_one_writes_nothing(
    tmp_path: Path, bench: benchmark.Benchmark
) -> None:
    store, later = Store(root=tmp_path), datetime(2027, 1, 1, tzinfo=timezone.utc)
    first = started(store, bench, Silent())
    named = started(store, bench, Declaring({"model": {"name": "a"}}), now=later)
    assert named == {**first, "declared": {"model": {"name": "a"}}}, "the date stays that of the first run"
    assert started(store, bench, Declaring({"model": {"name": "a", "version": ""}})) == named, "it says the same"
    full = started(store, bench, Declaring(FULL_DATA))
    assert full["declared"] == FULL_DATA
    assert started(store, bench, Silent()) == first


@pytest.mark.parametrize(
    "said", [["a"], "Wan", {"model": {"name": "a", "steps": 1}}, {"model": {"name": "a", "version": Path("/x")}}],
    ids=str,
)  # fmt: skip
def test_an_editor_cannot_declare_what_a_board_could_not_show(
    tmp_path: Path, bench: benchmark.Benchmark, said: Any
) -> None:
    with pytest.raises(EditorError, match="the model's declared\\(\\) gives what cannot be declared") as caught:
        editors.declared(Declaring(said))
    assert "\n" not in str(caught.value)
    assert "date" not in str(caught.value)
    store = Store(root=tmp_path)
    with pytest.raises(SparkleError):
        started(store, bench, Declaring(said))
    assert store.read_run("mine") is None
