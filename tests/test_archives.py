"""Archives from strangers: good ones come out whole; hostile, damaged and absurd ones are refused in one line."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import os
import random
import shutil
import subprocess
import sys
import tarfile
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from sparkle_bench.errors import MachineError, SubmissionError
from sparkle_bench.submission import archive
from tests import fuzz_archives as fuzz
from tests import hostile_archives as hostile
from tests.hostile_archives import DEFLATED, DEVICE, LINK, PIPE, VIDEO, Member, tar_bytes, tar_header, zip_bytes

GOOD = Member(name=b"good.mp4")
FORMS = (".zip", ".tar", ".tgz")
each_form = pytest.mark.parametrize("suffix", FORMS)


def put(folder: Path, suffix: str, content: bytes) -> Path:
    path = folder / f"hand-in{suffix}"
    path.write_bytes(content)
    return path


def unpack(folder: Path, path: Path, **limits: int) -> archive.Unpacked:
    """Unpack into a folder of its own and see that nothing lands outside and all that lands is a plain file."""
    into = folder / "around" / "scratch"
    into.mkdir(parents=True)
    before = fuzz.outside(folder, into)
    try:
        return archive.unpack(path, into, replace(archive.Limits(), **limits))
    finally:
        assert [place for place, _ in fuzz.outside(folder, into)] == [place for place, _ in before]
        written = [path for path in into.rglob("*") if path.is_symlink() or not path.is_dir()]
        assert all(path.is_file() and not path.is_symlink() and path.stat().st_nlink == 1 for path in written)


def files(folder: Path) -> dict[str, bytes]:
    """Return what was unpacked, by path."""
    into = folder / "around" / "scratch"
    return {path.relative_to(into).as_posix(): path.read_bytes() for path in into.rglob("*") if path.is_file()}


def refusal(folder: Path, suffix: str, content: bytes, **limits: int) -> str:
    """Return why an archive is refused, which is one short line that begins with its name."""
    with pytest.raises(SubmissionError) as caught:
        unpack(folder, put(folder, suffix, content), **limits)
    message = str(caught.value)
    assert message.startswith(f"hand-in{suffix}: ")
    assert "; " in message  # what to do
    assert message.isprintable()
    assert len(message) < 600
    return message


# -- good ones ---------------------------------------------------------------------------------------------------------

TREE = {
    "time/season---a_meadow/Sparkle_time_000001_edited.mp4": b"one" * 1000,
    "Sparkle_style_000002.MP4": b"two",
    "more/Three.MoV": b"",
    "manifest.csv": b"id,path\n",
    "Submission.toml": b"name = 'x'\n",
}


def by_shell(folder: Path, suffix: str, tree: dict[str, bytes], *, wrapped: bool) -> Path:
    """Archive a folder as a user does with Python's own tools."""
    made = folder / "made" / "my videos"
    for name, content in tree.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_bytes(content)
    kind = {".zip": "zip", ".tar": "tar", ".tar.gz": "gztar", ".tgz": "gztar"}[suffix]
    root, base = (made.parent, made.name) if wrapped else (made, ".")
    packed = shutil.make_archive(str(folder / "packed"), kind, root, base)
    return Path(packed).rename(folder / f"hand-in{suffix}")


@pytest.mark.parametrize("wrapped", [False, True], ids=["bare", "wrapped"])
@pytest.mark.parametrize("suffix", archive.SUFFIXES)
def test_folder_comes_out_as_it_was(tmp_path: Path, suffix: str, wrapped: bool) -> None:
    found = unpack(tmp_path, by_shell(tmp_path, suffix, TREE | {"README.md": b"hello"}, wrapped=wrapped))
    prefix = "my videos/" if wrapped else ""
    assert files(tmp_path) == {prefix + name: content for name, content in TREE.items()}
    assert (found.files, found.bytes) == (len(TREE), sum(map(len, TREE.values())))
    assert (found.left_out, found.others) == ((prefix + "README.md",), 1)


@pytest.mark.parametrize(
    "form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT], ids=["ustar", "gnu", "pax"]
)
def test_long_and_foreign_names_of_every_tar_form(tmp_path: Path, form: int) -> None:
    names = ["a" * 90 + "/" + "b" * 90 + ".mp4"]
    if form != tarfile.USTAR_FORMAT:
        names += ["c" * 200 + "/" + "d" * 200 + ".mp4", "日本/" + "é" * 60 + ".mp4"]
    with tarfile.open(tmp_path / "hand-in.tar", "w", format=form) as tar:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(VIDEO), 1.5  # a time that only pax can hold
            tar.addfile(info, io.BytesIO(VIDEO))
    unpack(tmp_path, tmp_path / "hand-in.tar")
    assert files(tmp_path) == dict.fromkeys(names, VIDEO)


@each_form
def test_names_come_out_in_nfc(tmp_path: Path, suffix: str) -> None:
    apart = unicodedata.normalize("NFD", "vidéos/été.mp4")
    unpack(tmp_path, put(tmp_path, suffix, hostile.archive([Member(name=apart.encode())], suffix)))
    assert list(files(tmp_path)) == ["vidéos/été.mp4"]


@pytest.mark.parametrize(
    ("name", "found"), [("é.mp4".encode(), "é.mp4"), (b"\x82.mp4", "é.mp4")], ids=["UTF-8", "code page"]
)
def test_zip_name_whose_encoding_is_not_said(tmp_path: Path, name: bytes, found: str) -> None:
    unpack(tmp_path, put(tmp_path, ".zip", zip_bytes([Member(name=name, flags=0)])))
    assert list(files(tmp_path)) == [found]


@each_form
def test_what_macos_adds_and_hidden_files_are_passed_over(tmp_path: Path, suffix: str) -> None:
    junk = [b"__MACOSX/._a.mp4", b"x/._a.mp4", b".DS_Store", b".git/a.mp4", b"x/.cache/a.mp4", b"__MACOSX/x/b.mp4"]
    content = hostile.archive([GOOD, *(Member(name=name) for name in junk)], suffix)
    found = unpack(tmp_path, put(tmp_path, suffix, content))
    assert list(files(tmp_path)) == ["good.mp4"]
    assert (found.files, found.others) == (1, 0)


@each_form
def test_other_files_are_named_up_to_a_hundred_and_counted(tmp_path: Path, suffix: str) -> None:
    content = hostile.archive([Member(name=b"%03d.txt" % number) for number in range(150)], suffix)
    found = unpack(tmp_path, put(tmp_path, suffix, content))
    assert (found.files, found.others, len(found.left_out)) == (0, 150, 100)
    assert files(tmp_path) == {}


@each_form
def test_empty_archive_holds_nothing(tmp_path: Path, suffix: str) -> None:
    found = unpack(tmp_path, put(tmp_path, suffix, hostile.archive([], suffix)))
    assert found == archive.Unpacked(files=0, bytes=0)


def test_gzip_of_several_streams_with_zeros_behind(tmp_path: Path) -> None:
    plain = tar_bytes([GOOD, Member(name=b"b.mp4", content=random.Random(0).randbytes(300_000))])
    packed = b"".join(gzip.compress(plain[at : at + 70_000]) for at in range(0, len(plain), 70_000)) + bytes(5000)
    unpack(tmp_path, put(tmp_path, ".tar.gz", packed))
    assert sorted(files(tmp_path)) == ["b.mp4", "good.mp4"]


@each_form
def test_as_many_files_as_allowed(tmp_path: Path, suffix: str) -> None:
    members = [Member(name=b"%d.mp4" % number) for number in range(30)]
    found = unpack(tmp_path, put(tmp_path, suffix, hostile.archive(members, suffix)), entries=30)
    assert found.files == 30


def test_text_and_zeros_that_pack_well_are_no_bomb(tmp_path: Path) -> None:
    members = [
        Member(name=b"a.mp4", content=bytes(7_000_000), method=DEFLATED),
        Member(name=b"b.mp4", content=os.urandom(99_000)),
    ]
    assert unpack(tmp_path, put(tmp_path, ".zip", zip_bytes(members))).bytes == 7_099_000


@pytest.mark.parametrize(
    ("name", "yes"),
    [("a.zip", True), ("A.ZIP", True), ("a.tar.gz", True), ("a.TGZ", True), ("a.tar", True), ("a.7z", False),
     ("a.tar.bz2", False), ("a.gz", False), ("zip", False), ("a.mp4", False)],
)  # fmt: skip
def test_archives_are_known_by_their_ending(name: str, yes: bool) -> None:
    assert archive.is_archive(Path(name)) is yes


# -- names -------------------------------------------------------------------------------------------------------------

NAMES: dict[str, tuple[bytes, str]] = {
    "up": (b"../x.mp4", "'../x.mp4' leads out of the archive's folder"),
    "up and down": (b"a/../../x.mp4", "leads out"),
    "up at the end": (b"a/..", "leads out"),
    "up in a file of no interest": (b"../README.md", "leads out"),
    "up in a hidden file": (b"../.bashrc", "leads out"),
    "absolute": (b"/etc/x.mp4", "'/etc/x.mp4' has an absolute path"),
    "two slashes": (b"//server/x.mp4", "absolute"),
    "drive": (b"C:/x.mp4", "absolute"),
    "drive without slash": (b"c:x.mp4", "absolute"),
    "backslash": (b"a\\x.mp4", "backslash"),
    "up by backslashes": (b"..\\..\\x.mp4", "backslash"),
    "share": (b"\\\\server\\x.mp4", "backslash"),
    "line break": (b"a\nb.mp4", "control or invisible character"),
    "NUL": (b"a.mp4\0.txt", "control or invisible character"),
    "terminal escape": (b"\x1b[2Ja.mp4", "control or invisible character"),
    "text turned round": ("a\u202e4pm.mp4".encode(), "control or invisible character"),
    "nothing wide": ("a\u200b.mp4".encode(), "control or invisible character"),
    "line separator": ("a\u2028b.mp4".encode(), "control or invisible character"),
    "long part": (b"x" * 252 + b".mp4", "too long for a file system"),
    "long part in bytes": ("é".encode() * 130 + b".mp4", "too long for a file system"),
    "long part once in NFC": ("\u0958".encode() * 80 + b".mp4", "too long for a file system"),
    "long whole": (b"/".join([b"x" * 200] * 5) + b"/a.mp4", "too long for a file system"),
    "endless": (b"x" * 60_000, "too long for a file system"),
    "deep": (b"x/" * 32 + b"a.mp4", "too long for a file system"),
    "no name": (b".", "has no name"),
}  # fmt: skip


@each_form
@pytest.mark.parametrize(("name", "said"), NAMES.values(), ids=NAMES)
def test_dangerous_name_is_refused(tmp_path: Path, suffix: str, name: bytes, said: str) -> None:
    content = hostile.archive([GOOD, Member(name=name)], suffix)
    assert said in refusal(tmp_path, suffix, content)


@pytest.mark.parametrize("kind", [b"5", b"0"], ids=["folder", "file"])
@pytest.mark.parametrize("name", [b"../x/", b"/x/", b"a/../x/"])
def test_dangerous_name_of_a_tar_folder_is_refused(tmp_path: Path, name: bytes, kind: bytes) -> None:
    refusal(tmp_path, ".tar", tar_bytes([Member(name=name, content=b"", kind=kind)]))


def test_tar_file_called_like_a_folder_is_refused(tmp_path: Path) -> None:
    assert "is both a file and a folder" in refusal(tmp_path, ".tar", tar_bytes([Member(name=b"x.mp4/")]))


@pytest.mark.parametrize("suffix", [".tar", ".tgz"])
def test_tar_name_that_is_not_utf8_is_refused(tmp_path: Path, suffix: str) -> None:
    assert "not UTF-8" in refusal(tmp_path, suffix, hostile.archive([Member(name=b"\xe9.mp4")], suffix))


def test_zip_name_that_is_not_the_utf8_it_says_is_refused(tmp_path: Path) -> None:
    assert "damaged" in refusal(tmp_path, ".zip", zip_bytes([Member(name=b"\xe9.mp4")]))


PAIRS: dict[str, tuple[str, str, str]] = {
    "twice": ("a/b.mp4", "a/b.mp4", "is there twice"),
    "twice by a dot": ("a/b.mp4", "./a/./b.mp4", "is there twice"),
    "twice by slashes": ("a/b.mp4", "a//b.mp4", "is there twice"),
    "letter case": ("a/b.mp4", "a/B.MP4", "differs from 'a/b.mp4' only in letter case or Unicode form"),
    "letter case of a folder": ("time/a.mp4", "Time/b.mp4", "only in letter case"),
    "folded letters": ("straße.mp4", "STRASSE.mp4", "only in letter case"),
    "Unicode form": ("é.mp4", unicodedata.normalize("NFD", "é.mp4"), "Unicode form"),
    "Unicode form of a folder": ("é/a.mp4", unicodedata.normalize("NFD", "é/b.mp4"), "Unicode form"),
    "look-alike letters": ("ａ.mp4", "a.mp4", "Unicode form"),
    "dot at the end": ("a./b.mp4", "a/c.mp4", "only in letter case"),
    "space at the end": ("a /b.mp4", "a/c.mp4", "only in letter case"),
    "file, then folder": ("a.mp4", "a.mp4/b.mp4", "'a.mp4' as both a file and a folder"),
    "folder, then file": ("a.mp4/b.mp4", "a.mp4", "'a.mp4' as both a file and a folder"),
    "of no interest": ("readme.md", "README.md", "only in letter case"),
}


@each_form
@pytest.mark.parametrize(("first", "second", "said"), PAIRS.values(), ids=PAIRS)
def test_names_that_collide_are_refused(tmp_path: Path, suffix: str, first: str, second: str, said: str) -> None:
    content = hostile.archive([Member(name=first.encode()), GOOD, Member(name=second.encode())], suffix)
    assert said in refusal(tmp_path, suffix, content)


@each_form
def test_folder_may_be_named_more_than_once(tmp_path: Path, suffix: str) -> None:
    folder = Member(name=b"x/", content=b"", kind=b"5", mode=0o40755)
    content = hostile.archive([folder, Member(name=b"x/a.mp4"), folder, Member(name=b"x/b.mp4")], suffix)
    assert unpack(tmp_path, put(tmp_path, suffix, content)).files == 2


# -- kinds of member ---------------------------------------------------------------------------------------------------

KINDS: dict[str, tuple[str, Member, str]] = {
    "zip symbolic link": (".zip", Member(name=b"x.mp4", content=b"/etc/passwd", mode=LINK), "is a link; pack the files"),
    "zip link of no interest": (".zip", Member(name=b"x", content=b"..", mode=LINK), "is a link"),
    "zip pipe": (".zip", Member(name=b"x.mp4", mode=PIPE), "device or pipe"),
    "zip device": (".zip", Member(name=b"x.mp4", mode=DEVICE), "device or pipe"),
    "zip socket": (".zip", Member(name=b"x.mp4", mode=0o140777), "device or pipe"),
    "zip encrypted": (".zip", Member(name=b"x.mp4", flags=1), "is encrypted; pack again without a password"),
    "zip strongly encrypted": (".zip", Member(name=b"x.mp4", flags=0x40), "is encrypted"),
    "zip hidden directory": (".zip", Member(name=b"x.mp4", flags=0x2000), "is encrypted"),
    "zip encrypted, of no interest": (".zip", Member(name=b"x.txt", flags=1), "is encrypted"),
    "zip bzip2": (".zip", Member(name=b"x.mp4", method=12), "compressed by method 12; use plain zip"),
    "zip LZMA": (".zip", Member(name=b"x.mp4", method=14), "compressed by method 14"),
    "zip unknown method": (".zip", Member(name=b"x.mp4", method=99), "compressed by method 99"),
    "tar symbolic link": (".tar", Member(name=b"x.mp4", content=b"", kind=b"2"), "is a link; pack the files"),
    "tar hard link": (".tar", Member(name=b"x.mp4", content=b"", kind=b"1"), "is a link"),
    "tar link of no interest": (".tar", Member(name=b"x", content=b"", kind=b"2"), "is a link"),
    "tar character device": (".tar", Member(name=b"x.mp4", content=b"", kind=b"3"), "device or pipe"),
    "tar block device": (".tar", Member(name=b"x.mp4", content=b"", kind=b"4"), "device or pipe"),
    "tar pipe": (".tar", Member(name=b"x.mp4", content=b"", kind=b"6"), "device or pipe"),
    "tar sparse": (".tar", Member(name=b"x.mp4", kind=b"S"), "is sparse; pack again without tar's -S"),
    "tar many volumes": (".tar", Member(name=b"x.mp4", kind=b"M"), "unknown kind"),
    "tar unknown": (".tar", Member(name=b"x.mp4", kind=b"Q"), "unknown kind"),
    "tar socket of no interest": (".tar", Member(name=b"x", kind=b"\xff"), "unknown kind"),
}  # fmt: skip


@pytest.mark.parametrize(("suffix", "member", "said"), KINDS.values(), ids=KINDS)
def test_member_that_is_no_plain_file_is_refused(tmp_path: Path, suffix: str, member: Member, said: str) -> None:
    message = refusal(tmp_path, suffix, hostile.archive([GOOD, member], suffix))
    assert said in message
    assert f"'{member.name.decode()}'" in message


@pytest.mark.parametrize("named", [b"target.mp4", b"/etc/passwd"])
def test_file_is_not_written_through_a_link_that_came_before(tmp_path: Path, named: bytes) -> None:
    link = tar_header(b"x", 0, b"2").replace(b"target".ljust(100, b"\0"), named.ljust(100, b"\0"))
    link = link[:148] + b"%06o\0 " % sum(link[:148] + b" " * 8 + link[156:]) + link[156:]
    assert "is a link" in refusal(tmp_path, ".tar", tar_bytes([link, Member(name=b"x/a.mp4")]))


@pytest.mark.parametrize("record", [{"GNU__sparse__major": b"1"}, {"GNU__sparse__map": b"0,1"}], ids=["1.0", "0.1"])
def test_sparse_member_of_a_newer_kind_is_refused(tmp_path: Path, record: dict[str, bytes]) -> None:
    assert "is sparse" in refusal(tmp_path, ".tar", tar_bytes([hostile.pax(**record), Member(name=b"x.mp4")]))


# -- damage ------------------------------------------------------------------------------------------------------------


def broken(suffix: str, change: Callable[[bytearray], None], content: bytes = VIDEO * 100) -> bytes:
    whole = bytearray(hostile.archive([Member(name=b"a.mp4", content=content), GOOD], suffix))
    change(whole)
    return bytes(whole)


def flip(at: int) -> Callable[[bytearray], None]:
    def change(content: bytearray) -> None:
        content[at] ^= 0x40

    return change


def cut(at: int) -> Callable[[bytearray], None]:
    def change(content: bytearray) -> None:
        del content[at:]

    return change


NOISE = random.Random(1).randbytes(20_000)
DAMAGE: dict[str, tuple[str, bytes, str]] = {
    "zip cut off in the middle": (".zip", broken(".zip", cut(3000)), "damaged or cut off"),
    "zip cut off near the end": (".zip", broken(".zip", cut(-5)), "damaged or cut off"),
    "zip content changed": (".zip", broken(".zip", flip(300)), "Bad CRC-32"),
    "zip wrong check sum": (".zip", zip_bytes([Member(name=b"a.mp4", crc=1)]), "Bad CRC-32"),
    "zip deflate stream changed": (
        ".zip", zip_bytes([Member(name=b"a.mp4", content=b"abc" * 9, packed=4, method=DEFLATED)]), "damaged",
    ),
    "zip directory changed": (".zip", broken(".zip", lambda c: c.__setitem__(c.rindex(b"PK\1\2"), 0)), "damaged"),
    "zip shifted": (".zip", b"PK\3\4" + broken(".zip", lambda c: None)[9:], "damaged"),
    "zip of another volume": (".zip", zip_bytes([Member(name=b"a.mp4", offset=2**31)]), "damaged"),
    "zip names differ": (".zip", zip_bytes([Member(name=b"a.mp4", local_name=b"b.mp4")]), "differ"),
    "tar cut off in the middle": (".tar", broken(".tar", cut(3000)), "ends in the middle of a member"),
    "tar cut off between members": (".tar", broken(".tar", cut(-1024 - 1024)), "damaged or cut off"),
    "tar cut off before its end": (".tar", broken(".tar", cut(-1024)), "damaged or cut off"),
    "tar cut off in a header": (".tar", broken(".tar", cut(-1024 - 600)), "truncated header"),
    "tar cut off in what fills a block": (".tar", tar_bytes([GOOD], end=b"")[:-10], "ends in the middle of a member"),
    "tar header changed": (".tar", broken(".tar", flip(-1024 - 1024 + 3)), "bad checksum"),
    "tar joined to another": (".tar", tar_bytes([GOOD]) + tar_bytes([GOOD]), "goes on behind its end"),
    "tgz cut off in the middle": (".tgz", broken(".tgz", cut(-400), NOISE), "damaged or cut off"),
    "tgz cut off in its check sum": (".tgz", broken(".tgz", cut(-3)), "gzip stream has no end"),
    "tgz content changed": (".tgz", broken(".tgz", flip(9000), NOISE), "damaged or cut off"),
    "tgz check sum changed": (".tgz", broken(".tgz", flip(-7)), "incorrect data check"),
    "tgz with rubbish behind": (".tgz", broken(".tgz", lambda c: c.extend(b"rubbish")), "damaged"),
    "tgz with another behind": (".tgz", broken(".tgz", lambda c: c.extend(c)), "goes on behind its end"),
    "tgz that holds no tar": (".tgz", gzip.compress(VIDEO * 99), "no tar header where one should be"),
    "tgz that holds little": (".tgz", gzip.compress(b"x"), "no tar header where one should be"),
    "tgz that holds nothing": (".tgz", gzip.compress(b""), "no tar header where one should be"),
}  # fmt: skip


@pytest.mark.parametrize(("suffix", "content", "said"), DAMAGE.values(), ids=DAMAGE)
def test_damaged_archive_is_refused(tmp_path: Path, suffix: str, content: bytes, said: str) -> None:
    assert said in refusal(tmp_path, suffix, content)


@each_form
def test_archive_cut_off_anywhere_is_refused(tmp_path: Path, suffix: str) -> None:
    whole = hostile.archive([Member(name=b"a.mp4", content=NOISE[:2000])], suffix)
    taken = [at for at in range(0, len(whole), 61) if not is_refused(tmp_path / str(at), suffix, whole[:at])]
    assert taken == ([] if suffix != ".tar" else [at for at in taken if at >= len(whole) - 1024 + 512])


def is_refused(folder: Path, suffix: str, content: bytes) -> bool:
    folder.mkdir()
    try:
        unpack(folder, put(folder, suffix, content))
    except SubmissionError:
        return True
    return False


# -- lies --------------------------------------------------------------------------------------------------------------

MB = 1 << 20
LONG = hostile.tar_header(b"././@LongLink", 8 << 30, b"L")
LIES: dict[str, tuple[str, bytes, str]] = {
    "zip says less than there is": (".zip", zip_bytes([Member(name=b"a.mp4", method=DEFLATED, size=9)]), "Bad CRC-32"),
    "zip says more than there is": (
        ".zip", zip_bytes([Member(name=b"a.mp4", method=DEFLATED, size=900)]), "is not of the 900 bytes",
    ),
    "zip says three gigabytes": (".zip", zip_bytes([Member(name=b"a.mp4", size=3 << 30)]), "3221225472 bytes; at most"),
    "zip says that it ends behind the end": (".zip", zip_bytes([Member(name=b"a.mp4", packed=9999)]), "damaged"),
    "zip members share bytes": (
        ".zip", zip_bytes([Member(name=b"%d.mp4" % n, local_name=b"0.mp4", offset=0) for n in range(9)]), "shares its bytes",
    ),
    "zip members share some bytes": (
        ".zip", zip_bytes([Member(name=b"a.mp4", packed=200), Member(name=b"b.mp4")]), "'b.mp4' shares its bytes",
    ),
    "zip directory of four gigabytes": (".zip", zip_bytes([GOOD], directory_bytes=2**32 - 2), "damaged"),
    "tar says three gigabytes": (".tar", tar_bytes([Member(name=b"a.mp4", size=3 << 30)]), "3221225472 bytes; at most"),
    "tar says 2**80 bytes": (".tar", tar_bytes([Member(name=b"a.mp4", size=2**80)]), "at most"),
    "tar says 2**80 bytes, of no interest": (".tar", tar_bytes([Member(name=b"a", size=2**80)]), "ends in the middle"),
    "tar says less than nothing": (
        ".tar", tar_bytes([tar_header(b"a.mp4", 0, size_field=b"\xff" * 11 + b"\0")]), "size that is no number",
    ),
    "tar says less than nothing, of no interest": (
        ".tar", tar_bytes([tar_header(b"a", 0, size_field=b"\xff" * 10 + b"\xfe\0")]), "size that is no number",
    ),
    "tar name of less than nothing": (
        ".tar", tar_bytes([tar_header(b"a", 0, b"L", size_field=b"\xff" * 10 + b"\xfe\0")]), "extended header of -512 bytes",
    ),
    "tar name of eight gigabytes": (".tar", tar_bytes([LONG, GOOD]), "extended header of 8589934592 bytes"),
    "tar name of two megabytes": (".tar", tar_bytes([hostile.extended(b"x" * 2 * MB, b"L"), GOOD]), "extended header"),
    "tar name of a megabyte": (".tar", tar_bytes([hostile.extended(b"x" * MB, b"L"), GOOD]), "too long for a file system"),
    "tar combining marks without end": (
        ".tar", tar_bytes([hostile.extended(("́̀" * 200_000).encode(), b"L"), GOOD]), "too long for a file system",
    ),
    "tar attributes of two megabytes": (".tar", tar_bytes([hostile.pax(comment=b"x" * 2 * MB), GOOD]), "extended header"),
    "tar attributes of digits alone": (".tar", tar_bytes([hostile.extended(b"1" * (MB - 9)), GOOD]), "no list of records"),
    "tar attributes of no length": (".tar", tar_bytes([hostile.extended(b"0 path=x\n"), GOOD]), "no list of records"),
    "tar attributes of too great a length": (".tar", tar_bytes([hostile.extended(b"999 path=x\n"), GOOD]), "no list of"),
    "tar attributes without their line break": (".tar", tar_bytes([hostile.extended(b"10 path=xy"), GOOD]), "no list of"),
    "tar path out of the folder": (".tar", tar_bytes([hostile.pax(path=b"../a.mp4"), GOOD]), "leads out"),
    "tar long name out of the folder": (".tar", tar_bytes([hostile.extended(b"/a.mp4\0", b"L"), GOOD]), "absolute path"),
    "tar prefix out of the folder": (
        ".tar", tar_bytes([hostile.with_prefix(tar_header(b"a.mp4", 0), b"x/..")]), "leads out",
    ),
    "tar size of three gigabytes": (".tar", tar_bytes([hostile.pax(size=b"3221225472"), GOOD]), "at most"),
    "tar size of a thousand digits": (".tar", tar_bytes([hostile.pax(size=b"9" * 1000), GOOD]), "size that is no number"),
    "tar size below nothing": (".tar", tar_bytes([hostile.pax(size=b"-512"), GOOD]), "size that is no number"),
    "tar one path for all": (
        ".tar", tar_bytes([hostile.extended(hostile.record(b"path", b"a.mp4"), b"g"), GOOD]), "one name or size to all",
    ),
    "tar manifest of 20 MB": (".tar", tar_bytes([Member(name=b"manifest.csv", size=20 * MB)]), "it should hold names alone"),
    "zip manifest of 20 MB": (".zip", zip_bytes([Member(name=b"manifest.csv", size=20 * MB)]), "it should hold names alone"),
}  # fmt: skip


@pytest.mark.parametrize(("suffix", "content", "said"), LIES.values(), ids=LIES)
def test_lie_in_a_header_is_refused(tmp_path: Path, suffix: str, content: bytes, said: str) -> None:
    assert said in refusal(tmp_path, suffix, content)


def test_tar_size_given_twice_is_the_extended_one(tmp_path: Path) -> None:
    content = tar_bytes(
        [hostile.pax(size=b"%d" % len(VIDEO)), tar_header(b"a.mp4", 0) + hostile.in_blocks(VIDEO), GOOD]
    )
    unpack(tmp_path, put(tmp_path, ".tar", content))
    assert files(tmp_path) == {"a.mp4": VIDEO, "good.mp4": VIDEO}


def test_tar_extended_header_speaks_of_the_next_member_alone(tmp_path: Path) -> None:
    said = hostile.pax(path=b"a.mp4", size=b"%d" % len(VIDEO))
    other = Member(name=b"b.mp4", content=b"other")
    unpack(
        tmp_path, put(tmp_path, ".tar", tar_bytes([said, GOOD, other, hostile.extended(b"c.mp4\0", b"L"), GOOD, GOOD]))
    )
    assert files(tmp_path) == {"a.mp4": VIDEO, "b.mp4": b"other", "c.mp4": VIDEO, "good.mp4": VIDEO}


# -- too much ----------------------------------------------------------------------------------------------------------


@each_form
def test_too_many_entries_are_refused(tmp_path: Path, suffix: str) -> None:
    content = hostile.archive((Member(name=b"%d" % number, content=b"") for number in range(20_001)), suffix)
    assert "more than 20000 files" in refusal(tmp_path, suffix, content)


@each_form
def test_too_many_folders_are_refused(tmp_path: Path, suffix: str) -> None:
    members = [Member(name=b"/".join(b"%d-%d" % (n, d) for d in range(30)) + b"/a.mp4") for n in range(5)]
    assert "more than 100 files and folders" in refusal(tmp_path, suffix, hostile.archive(members, suffix), entries=100)


@pytest.mark.parametrize("suffix", [".tar", ".tgz"])
def test_tar_of_too_many_entries_is_not_read_to_its_end(tmp_path: Path, suffix: str) -> None:
    plain = tar_bytes([Member(name=b"%d.txt" % number, content=b"") for number in range(51)], end=b"rubbish" * 9999)
    content = plain if suffix == ".tar" else gzip.compress(plain)
    assert "more than 50 files" in refusal(tmp_path, suffix, content, entries=50)


def test_tar_of_headers_alone_is_refused(tmp_path: Path) -> None:
    content = tar_bytes([hostile.pax(comment=b"x")] * 300, end=b"")
    assert "more than 200 headers" in refusal(tmp_path, ".tar", content, entries=50)


BOMB = Member(name=b"a.mp4", content=bytes(100 * MB), method=DEFLATED)


@pytest.mark.parametrize("suffix", [".zip", ".tgz"])
@pytest.mark.parametrize("name", [b"a.mp4", b"weights.bin"], ids=["video", "of no interest"])
def test_bomb_is_refused(tmp_path: Path, suffix: str, name: bytes) -> None:
    content = hostile.archive([replace(BOMB, name=name)], suffix)
    assert "unpacks to more than 100 times its size" in refusal(tmp_path, suffix, content)
    assert sum(map(len, files(tmp_path).values())) < 20 * MB


@pytest.mark.parametrize("suffix", [".zip", ".tgz"])
def test_bomb_of_many_small_members_is_refused(tmp_path: Path, suffix: str) -> None:
    members = [Member(name=b"%d.mp4" % n, content=bytes(90_000), method=DEFLATED) for n in range(99)]
    message = refusal(tmp_path, suffix, hostile.archive(members, suffix), small=100_000)
    assert "the archive unpacks to more than 100 times" in message


@pytest.mark.parametrize("suffix", [".zip", ".tgz"])
def test_bomb_behind_a_honest_video_is_refused(tmp_path: Path, suffix: str) -> None:
    honest = Member(name=b"good.mp4", content=os.urandom(2 * MB))
    bomb = Member(name=b"a.mp4", content=bytes(60 * MB), method=DEFLATED)
    assert "100 times" in refusal(tmp_path, suffix, hostile.archive([honest, bomb], suffix))


def test_gzip_of_endless_zeros_behind_the_end_is_refused(tmp_path: Path) -> None:
    assert "100 times" in refusal(tmp_path, ".tgz", gzip.compress(tar_bytes([GOOD], end=bytes(60 * MB))))


def test_gzip_of_a_great_many_streams_is_refused(tmp_path: Path) -> None:
    content = gzip.compress(tar_bytes([GOOD], end=b"")) + gzip.compress(b"") * 5000
    assert "tiny gzip streams" in refusal(tmp_path, ".tgz", content)


@each_form
def test_video_that_is_too_large_is_refused_and_other_files_are_not(tmp_path: Path, suffix: str) -> None:
    large = Member(name=b"a.mp4", content=bytes(5001))
    assert "'a.mp4' has 5001 bytes" in refusal(tmp_path, suffix, hostile.archive([large], suffix), video_bytes=5000)
    shutil.rmtree(tmp_path / "around")
    other = hostile.archive([replace(large, name=b"a.bin"), GOOD], suffix)
    assert unpack(tmp_path, put(tmp_path, suffix, other), video_bytes=5000).files == 1


@each_form
def test_whole_that_is_too_large_is_refused(tmp_path: Path, suffix: str) -> None:
    members = [Member(name=b"%d.mp4" % number, content=bytes(1000)) for number in range(9)]
    message = refusal(tmp_path, suffix, hostile.archive(members, suffix), total_bytes=8000)
    assert "the archive unpacks to more than 8000 bytes" in message
    assert sum(map(len, files(tmp_path).values())) <= 8000


# -- this machine ------------------------------------------------------------------------------------------------------


@each_form
def test_disk_without_room_is_the_machines_trouble(tmp_path: Path, suffix: str) -> None:
    path = put(tmp_path, suffix, hostile.archive([GOOD], suffix))
    with pytest.raises(MachineError, match=r"MB free .* make room"):
        unpack(tmp_path, path, reserve=1 << 60)
    assert files(tmp_path) == {}


def test_folder_that_is_not_empty_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    (tmp_path / "scratch" / "good.mp4").write_text("mine")
    with pytest.raises(MachineError, match="no empty folder"):
        archive.unpack(put(tmp_path, ".zip", zip_bytes([GOOD])), tmp_path / "scratch")
    assert (tmp_path / "scratch" / "good.mp4").read_text() == "mine"


CHILD = """
import json, resource, sys
from pathlib import Path
from sparkle_bench.errors import SparkleError
from sparkle_bench.submission import archive

def status(field):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(field))

if sys.argv[3] != "0":
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
before, outcome = status("VmRSS"), "unpacked"
try:
    archive.unpack(Path(sys.argv[1]), Path(sys.argv[2]))
except SparkleError as error:
    outcome = f"{type(error).__name__}: {error}"
print(json.dumps({"outcome": outcome, "grown": status("VmHWM") - before}))
"""


def in_a_process(path: Path, into: Path, *, most_bytes: int = 0) -> dict[str, Any]:
    """Unpack in a process of its own and return what came of it and by how many KB its memory grew at most."""
    into.mkdir()
    command = [sys.executable, "-c", CHILD, str(path), str(into), str(most_bytes)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    said: dict[str, Any] = json.loads(done.stdout)
    return said


linux = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads its memory from /proc")


@linux
@each_form
def test_disk_that_fills_up_half_way_is_the_machines_trouble(tmp_path: Path, suffix: str) -> None:
    path = put(tmp_path, suffix, hostile.archive([Member(name=b"a.mp4", content=os.urandom(MB))], suffix))
    said = in_a_process(path, tmp_path / "scratch", most_bytes=300_000)
    assert said["outcome"].startswith("MachineError: hand-in")
    assert "File too large" in said["outcome"]


def a_million_in_a_zip(path: Path) -> None:
    entry = zip_bytes([Member(name=b"1234567.mp4", content=b"")])[41:-22]
    count = 1_000_000
    with path.open("wb") as file:
        file.write(zip_bytes([GOOD])[:-22])
        begin = file.tell()
        for _ in range(100):
            file.write(entry * (count // 100))
        locator = b"PK\6\6" + (44).to_bytes(8, "little") + bytes(12)
        sizes = (count, count, len(entry) * count, begin)
        where = file.tell()
        file.write(locator + b"".join(n.to_bytes(8, "little") for n in sizes))
        file.write(b"PK\6\7" + bytes(4) + where.to_bytes(8, "little") + b"\1\0\0\0")
        file.write(b"PK\5\6" + bytes(4) + b"\xff" * 12 + bytes(2))


def many_in_a_small_zip(path: Path) -> None:
    entry = zip_bytes([Member(name=b"1", content=b"")])[31:-22]
    directory = entry * ((8 << 20) // len(entry) - 9)
    end = (
        b"PK\5\6" + bytes(4) + b"\xff" * 4 + len(directory).to_bytes(4, "little") + (31).to_bytes(4, "little") + b"\0\0"
    )
    path.write_bytes(zip_bytes([Member(name=b"1", content=b"")])[:31] + directory + end)


def sparse(path: Path, head: bytes, size: int, end: bytes = b"") -> None:
    """Write a file that says and has gigabytes, yet takes no room on the disk."""
    with path.open("wb") as file:
        file.write(head)
        file.truncate(size)
        file.seek(0, os.SEEK_END)
        file.write(end)


def four_gigabytes_of_directory(path: Path) -> None:
    said = (2**32 - 1000).to_bytes(4, "little")
    sparse(path, b"PK\3\4", 2**32 - 1000, b"PK\5\6" + bytes(4) + b"\1\0\1\0" + said + bytes(4) + bytes(2))


def most_of_everything(path: Path) -> None:
    """As many entries as allowed, of names as long as allowed, that take the most memory for a letter."""
    long = "\N{GRINNING FACE}".encode() * 60
    members = (Member(name=b"%s/%d%s.txt" % (long, number, long), content=b"") for number in range(19_990))
    path.write_bytes(tar_bytes(members))


HEAVY: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "a million entries": (".zip", a_million_in_a_zip, "list of files is too long"),
    "180,000 entries in 8 MB": (".zip", many_in_a_small_zip, "list of files is too long"),
    "directory of 4 GB": (".zip", four_gigabytes_of_directory, "list of files is too long"),
    "tar name of 8 GB": (".tar", lambda p: sparse(p, LONG, 8 << 30), "extended header of 8589934592 bytes"),
    "tar attributes of 8 GB": (
        ".tar", lambda p: sparse(p, tar_header(b"x", 8 << 30, b"x"), 8 << 30), "extended header of 8589934592 bytes",
    ),
    "tar sparse map": (".tar", lambda p: sparse(p, tar_header(b"x.mp4", 9, b"S"), 1 << 30), "is sparse"),
    "gzip bomb": (".tgz", lambda p: p.write_bytes(hostile.archive([BOMB], ".tgz")), "100 times"),
    "zip bomb": (".zip", lambda p: p.write_bytes(zip_bytes([BOMB])), "100 times"),
    "honest video of 100 MB": (
        ".zip", lambda p: p.write_bytes(zip_bytes([replace(BOMB, method=0)])), "unpacked",
    ),
    "20,000 long names": (".tar", most_of_everything, "unpacked"),
}  # fmt: skip


@linux
@pytest.mark.parametrize(("suffix", "make", "said"), HEAVY.values(), ids=HEAVY)
def test_memory_is_bounded(tmp_path: Path, suffix: str, make: Callable[[Path], object], said: str) -> None:
    path = tmp_path / f"hand-in{suffix}"
    make(path)
    found = in_a_process(path, tmp_path / "scratch")
    assert said in found["outcome"]
    assert found["grown"] < 64_000


# -- other files -------------------------------------------------------------------------------------------------------

SEVENZIP, RAR, XZ = b"7z\xbc\xaf\x27\x1c" + bytes(99), b"Rar!\x1a\x07\x01\0" + bytes(99), b"\xfd7zXZ\0" + bytes(99)
OTHERS: dict[str, tuple[str, bytes, str]] = {
    "7z": (".7z", SEVENZIP, "no archive of this kind is taken; pack it again as one of .zip, .tar, .tar.gz, .tgz"),
    "rar": (".rar", RAR, "no archive of this kind"),
    "tar in bzip2": (".tar.bz2", bz2.compress(tar_bytes([GOOD])), "no archive of this kind"),
    "tar in xz": (".tar.xz", XZ, "no archive of this kind"),
    "zip called tar": (
        ".tar",
        zip_bytes([GOOD]),
        "called .tar but is a zip file inside; give it its right ending (.zip)",
    ),
    "tar called zip": (".zip", tar_bytes([GOOD]), "called .zip but is a tar file inside"),
    "tgz called tar": (".tar", gzip.compress(tar_bytes([GOOD])), "but is a gzip file inside"),
    "tar called tgz": (".tgz", tar_bytes([GOOD]), "but is a tar file inside; give it its right ending (.tar)"),
    "zip called tar.gz": (".tar.gz", zip_bytes([GOOD]), "called .tar.gz but is a zip file inside"),
    "7z called zip": (".zip", SEVENZIP, "it is a 7z file; pack it again as one of .zip"),
    "rar called zip": (".zip", RAR, "it is a rar file"),
    "bzip2 called tar.gz": (".tar.gz", bz2.compress(VIDEO), "it is a bzip2 file"),
    "web page called zip": (".zip", b"<!DOCTYPE html><html>Please log in</html>", "it is no archive"),
    "text called tar": (".tar", b"hello " * 500, "it is no archive"),
    "nothing": (".zip", b"", "it is an empty file"),
}


@pytest.mark.parametrize(("suffix", "content", "said"), OTHERS.values(), ids=OTHERS)
def test_file_of_another_kind_is_refused(tmp_path: Path, suffix: str, content: bytes, said: str) -> None:
    assert said in refusal(tmp_path, suffix, content)


@pytest.mark.parametrize("there", ["nothing", "folder", "pipe"])
def test_what_is_no_file_is_refused(tmp_path: Path, there: str) -> None:
    path = tmp_path / "hand-in.zip"
    if there == "folder":
        path.mkdir()
    elif there == "pipe":
        os.mkfifo(path)
    with pytest.raises(SubmissionError, match="there is no such file; check the path"):
        unpack(tmp_path, path)


def test_odd_name_of_the_archive_itself_stays_on_one_line(tmp_path: Path) -> None:
    path = tmp_path / ("a\nb" + "x" * 200 + ".zip")
    path.write_bytes(b"rubbish")
    with pytest.raises(SubmissionError) as caught:
        unpack(tmp_path, path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


# -- anything ----------------------------------------------------------------------------------------------------------

short = settings(
    max_examples=100, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


@short
@given(case=fuzz.archives)
def test_rubbish_is_taken_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, case: tuple[bytes, str]
) -> None:
    fuzz.unpacks(*case, tmp_path_factory.mktemp("rubbish", numbered=True))


def test_many_archives_with_a_few_bytes_changed(tmp_path: Path) -> None:
    (tmp_path / "archives").mkdir()
    seen = fuzz.quick_round(tmp_path, range(300))
    assert {outcome.partition(" ")[0] for outcome in seen if "unpacked" in outcome} == set(FORMS)
    assert {outcome.partition(" ")[0] for outcome in seen if "refused" in outcome} == set(FORMS)


@short
@given(case=fuzz.manifests())
def test_rubbish_manifest_is_read_or_refused_in_one_line(tmp_path: Path, case: tuple[str, bytes]) -> None:
    fuzz.finds(*case, tmp_path)
