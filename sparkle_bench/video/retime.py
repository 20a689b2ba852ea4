"""Giving an mp4 another frame rate without encoding it again: its packets stay as they are, their times change."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

from sparkle_bench.errors import MachineError, VideoError, is_machine_trouble
from sparkle_bench.video.probe import check_machine, container, probe, reason


def retime(source: Path, out: Path, fps: float) -> bool:
    """Write a clip's own pictures at another rate, and nothing else of the file, such as sound.

    Args:
        source: The clip.
        out: The mp4 to write.
        fps: Frames per second.

    Returns:
        Whether that can be done: with H.264 in yuv420p in an mp4 or mov, none of whose frames are hidden. If not, nothing
        is left at `out`, and the clip has to be encoded anew.

    Raises:
        VideoError: The clip cannot be read, or not be written.
        MachineError: This machine cannot do it.
    """
    import av

    facts, rate = probe(source), Fraction(fps).limit_denominator(100_000)
    try:
        with container(source) as opened:
            stream = opened.streams.video[0]
            packets = _packets(opened, stream) if _is_plain(opened) else []
            if len(packets) != facts.frames or rate <= 0:
                return False
            _write(out, stream, packets, rate)
    except (av.FFmpegError, OSError, ValueError) as error:
        out.unlink(missing_ok=True)
        if is_machine_trouble(error):
            raise MachineError(f"cannot write {out.name} on this machine: {reason(error)}") from error
        check_machine(source, error)
        raise VideoError(f"{source.name} cannot be given another frame rate: {reason(error)}") from error
    return True


def is_plain(path: Path) -> bool:
    """Whether a clip is as edits are kept: H.264 in yuv420p in an mp4 or mov."""
    with container(path) as opened:
        return _is_plain(opened)


def _is_plain(opened: Any) -> bool:
    codec = opened.streams.video[0].codec_context
    return codec.name == "h264" and codec.pix_fmt == "yuv420p" and "mp4" in opened.format.name.split(",")


def _packets(opened: Any, stream: Any) -> list[Any]:
    """Return all packets as they are stored; none if their order of showing is not known."""
    packets = [packet for packet in opened.demux(stream) if packet.size]
    times = {packet.pts for packet in packets}
    return packets if None not in times and len(times) == len(packets) else []


def _write(out: Path, stream: Any, packets: list[Any], rate: Fraction) -> None:
    """Write packets so that the n-th picture is shown at n/rate.

    Pictures may be stored in another order than they are shown in. They are decoded one a tick, so early that none is
    shown before it is decoded, as an encoder would have it.
    """
    import av

    shown = {time: number for number, time in enumerate(sorted(packet.pts for packet in packets))}
    early = max(stored - shown[packet.pts] for stored, packet in enumerate(packets))
    with av.open(str(out), "w", format="mp4", options={"movflags": "faststart"}) as written:
        target: Any
        if hasattr(written, "add_stream_from_template"):
            target = written.add_stream_from_template(stream)
        else:  # PyAV before 14
            target = written.add_stream(template=stream)
        target.time_base = 1 / rate
        for stored, packet in enumerate(packets):
            packet.pts, packet.dts, packet.duration = shown[packet.pts], stored - early, 1
            packet.time_base, packet.stream = 1 / rate, target
            written.mux(packet)
