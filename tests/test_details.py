"""What the page loads of one result, and where it is told to look for videos: read back as a browser would."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sparkle_bench.audit import Audit, Flag
from sparkle_bench.records import Edit, Effort, Judgment, Probe, Sample
from sparkle_bench.report.details import call, details
from sparkle_bench.report.media import Bundled, Places, media
from sparkle_bench.rubric import Scores
from sparkle_bench.scoring import Evidence
from tests.made_words import HOSTILE

PROBE = Probe(frames=77, fps=16.0, width=1280, height=704)


def sample(name: str) -> Sample:
    return Sample(
        id=name, benchmark="sparkle", theme="time", subtheme="dawn", scene="mist", instruction="Move.", source="a.mp4",
        sha256="0",
    )  # fmt: skip


def read(script: bytes) -> tuple[str, list[Any]]:
    """The function that a script calls, and with what."""
    text = script.decode("ascii")
    assert text.startswith("sparkle.")
    assert text.endswith(");\n")
    name, _, said = text.removeprefix("sparkle.").removesuffix(");\n").partition("(")
    return name, json.loads(f"[{said}]")


def told(
    edit: Edit | None = None, *judgments: Judgment, repeats: int = 1, audit: Audit | None = None
) -> dict[str, Any]:
    """What is said of one sample."""
    evidence = Evidence(
        samples=[sample("one")],
        edits={"one": edit} if edit else {},
        judgments={judgment.key: judgment for judgment in judgments},
        repeats=repeats,
    )
    name, (model, said) = read(details("kiwi", evidence, audit))
    assert (name, model, list(said), list(said["samples"])) == ("details", "kiwi", ["samples"], ["one"])
    found: dict[str, Any] = said["samples"]["one"]
    return found


def made(effort: Effort | None = None) -> Edit:
    return Edit(
        sample_id="one", video="videos/a b/one_edited.mp4", sha256="f", probe=PROBE, seconds=99.0, effort=effort
    )


def verdict(repeat: int = 0, *, sha256: str = "f", **changes: Any) -> Judgment:
    scores = None if changes.get("error") else Scores(marks={"instruction": 3})
    given = {"reply": "Well done.\n\nInstruction: 3", "scores": scores, **changes}
    return Judgment(sample_id="one", edit_sha256=sha256, repeat=repeat, **given)


def test_an_edit_is_told_with_what_its_file_holds_and_what_its_model_took() -> None:
    found = told(made(Effort(seconds=12.5, aligned=True, cost=0.25, job="secret-job")))
    assert found == {
        "edit": {
            "video": "videos/a b/one_edited.mp4", "frames": 77, "fps": 16.0, "width": 1280, "height": 704,
            "aligned": True, "seconds": 12.5, "cost": 0.25,
        },
        "verdicts": [None],
    }  # fmt: skip


def test_what_is_known_to_be_false_or_nothing_is_told_and_what_is_not_known_is_left_out() -> None:
    found = told(made(Effort(seconds=0.0, aligned=False, cost=0.0)))["edit"]
    assert (found["aligned"], found["seconds"], found["cost"]) == (False, 0.0, 0.0)
    assert not {"aligned", "seconds", "cost", "error", "unseen"} & set(told(made())["edit"])


def test_a_sample_that_nobody_tried_has_no_edit_and_no_verdicts() -> None:
    assert told(repeats=2) == {"edit": None, "verdicts": [None, None]}


def test_a_failed_edit_says_why() -> None:
    found = told(Edit(sample_id="one", error="out of memory", error_type="OutOfMemory", seconds=3.0))
    assert found["edit"] == {"error": "out of memory", "error_type": "OutOfMemory"}


def test_a_verdict_alone_is_told_as_one_on_a_video_that_is_elsewhere() -> None:
    assert told(Edit(sample_id="one", sha256="f", unseen=True), verdict())["edit"] == {"unseen": True}


def test_verdicts_stand_at_their_repeat_with_the_judges_words_as_they_are() -> None:
    words = "  Two\t spaces,\r\n\r\nand a line. "
    found = told(made(), verdict(2, reply=words, soft={"instruction": 3.4}, reused="other"), repeats=3)
    assert found["verdicts"] == [None, None, {"reply": words, "soft": {"instruction": 3.4}, "reused": "other"}]


def test_a_failed_verdict_tells_its_error_and_every_attempt() -> None:
    failed = verdict(error="no mark", error_type="VerdictError", attempts=3, failures=("no mark", "503", "no mark"))
    assert told(made(), failed)["verdicts"] == [
        {
            "reply": "Well done.\n\nInstruction: 3", "error": "no mark", "error_type": "VerdictError", "attempts": 3,
            "failures": ["no mark", "503", "no mark"],
        }
    ]  # fmt: skip


def test_a_verdict_on_another_file_is_not_told() -> None:
    assert told(made(), verdict(sha256="old"))["verdicts"] == [None]


def test_flags_stand_with_their_sample() -> None:
    flags = (
        Flag(sample_id="one", repeat=1, name="frozen", why="still"),
        Flag(sample_id="two", repeat=0, name="x", why="y"),
    )
    audit = Audit(flags=flags, measured=2, labels={})
    assert told(made(), audit=audit)["flags"] == [{"repeat": 1, "name": "frozen", "why": "still"}]
    assert "flags" not in told(made(), audit=Audit(flags=(), measured=1, labels={}))


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_text_that_means_harm_comes_back_as_it_is_and_cannot_leave_its_script(text: str) -> None:
    script = call("details", "kiwi", {text: text})
    assert read(script) == ("details", ["kiwi", {text: text}])
    assert b"<" not in script
    assert script.isascii()
    assert script.count(b"\n") == 1


def test_the_same_evidence_gives_the_same_bytes() -> None:
    evidence = Evidence(
        samples=[sample("b"), sample("a")], edits={"a": Edit(sample_id="a", error="é")}, judgments={}, repeats=2
    )
    assert details("kiwi", evidence, None) == details("kiwi", evidence, None)
    assert list(read(details("kiwi", evidence, None))[1][1]["samples"]) == ["b", "a"]


# -- where videos are ------------------------------------------------------------------------------------------------


def test_folders_are_told_as_seen_from_the_page() -> None:
    said = read(media(Places(results="../../../results", sources="../../../data/Sparkle", models=["a", "b"])))
    assert said == (
        "media",
        [
            {
                "results": "../../../results", "sources": "../../../data/Sparkle", "models": ["a", "b"], "files": None,
            }
        ],
    )  # fmt: skip


def test_a_bundle_names_every_file_that_it_holds() -> None:
    bundle = Bundled(sources={"s": "videos/source/s.mp4"}, models={"a": {"s": "videos/a/s.mp4"}})
    _, [said] = read(media(Places(bundle=bundle)))
    assert said["files"] == {"source": {"s": "videos/source/s.mp4"}, "models": {"a": {"s": "videos/a/s.mp4"}}}


@pytest.mark.parametrize("field", ["results", "sources"])
def test_a_place_on_this_machine_alone_is_refused_and_not_repeated(field: str, tmp_path: Path) -> None:
    given: dict[str, Any] = {field: str(tmp_path)}
    with pytest.raises(ValueError, match="absolute") as refused:
        Places(**given)
    assert str(tmp_path) not in str(refused.value)
