"""A program that makes one video per call, as `program.toml` says. It knows nothing of sparkle-bench."""

import argparse

import av


def main() -> None:
    """Darken a video."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--src", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--darkness", type=float, default=0.5)
    given = parser.parse_args()
    with av.open(given.src) as source, av.open(given.out, "w") as out:
        read = source.streams.video[0]
        written = out.add_stream("libx264", rate=read.average_rate)
        written.width, written.height, written.pix_fmt = read.width, read.height, "yuv420p"
        for frame in source.decode(read):
            picture = (frame.to_ndarray(format="rgb24") * (1 - given.darkness)).astype("uint8")
            out.mux(written.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(written.encode(None))


if __name__ == "__main__":
    main()
