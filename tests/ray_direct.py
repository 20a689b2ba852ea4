"""Programs for the tests of Ray that ask what no command shows; each prints one JSON line.

edit ADDRESS BENCH EDITOR OPTIONS      edits every sample
serve ADDRESS MODEL PYTHON NOTES       starts servers until two serve, and ends them
stop ADDRESS MODEL PYTHON NOTES        stops by then
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from sparkle_bench import benchmark, editors
from sparkle_bench.editors import Recipe, on_ray
from sparkle_bench.editors.placing import Where
from sparkle_bench.judges import on_ray as judges
from sparkle_bench.judges.serving import Launch
from sparkle_bench.records import Sample
from sparkle_bench.workers import stream
from tests.ray_editors import notes


def edit(address: str, bench: str, editor: str, options: str) -> dict[str, Any]:
    """Edit every sample, and return the machines' hardware and what was told."""
    said: list[str] = []
    where = Where(executor="ray", ray_address=address)
    recipe = Recipe(name=f"tests.ray_editors:{editor}", options=json.loads(options))
    (made,) = on_ray.actors(recipe, where, say=said.append)
    assert isinstance(made, on_ray.OnRay)
    folder = Path(tempfile.mkdtemp())

    def one(sample: Sample) -> list[str]:
        made.edit(sample, folder / f"{sample.id}.mp4")
        return [sample.id]

    try:
        editors.load(made)
        hardware = made.hardware()
        samples = benchmark.load(Path(bench)).samples
        edited = list(stream(samples, one, workers=editors.at_once(made)))
    finally:
        editors.close(made)
    return {"hardware": hardware, "said": said, "edited": len(edited)}


def surroundings() -> dict[str, str]:
    """Return the environment of a server."""
    return dict(os.environ)


def serve(address: str, model: str, python: str, noted: str, *, stop: bool = False) -> dict[str, Any]:
    """Start servers, and return how many answer, why others do not, and what has become of all actors by then."""
    judges.SAY_SECONDS, judges.PLACE_SECONDS = 0.5, 1e6
    judges.CLOSE_SECONDS = 1e6  # who waits for one that cannot answer waits for ever

    def on_wait(seconds: float, line: str) -> None:
        if sum("serves" in each for each in notes(Path(noted))) == 2:
            judges.PLACE_SECONDS = 0.0
            if stop:
                raise KeyboardInterrupt

    launch = Launch(model=model, served_name="tiny", log=Path("none"))  # each machine has its own log
    wanted = judges.Wanted(launch=launch, python=python, surroundings=surroundings, address=address)
    with judges.servers(wanted, on_wait) as servers:
        from ray._private import state

        deadline = time.monotonic() + 20.0
        while time.monotonic() < deadline:
            actors = [actor["State"] for actor in state.actors().values()]
            if not {"PENDING_CREATION", "DEPENDENCIES_UNREADY"} & set(actors):
                break
            time.sleep(0.1)
    return {"up": len(servers.urls), "failed": servers.failed, "actors": sorted(actors)}


if __name__ == "__main__":
    command, *words = sys.argv[1:]
    answer = edit(*words) if command == "edit" else serve(*words, stop=command == "stop")
    sys.stdout.write(json.dumps(answer) + "\n")
