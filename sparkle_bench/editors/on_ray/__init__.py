"""A model on the machines of a Ray cluster: an actor on each GPU, clips streamed to it, their edits streamed back.

Only the driver, which is this program, sees `results/`. No file system is shared, but paths among the model's options
must hold on every machine. Where the cluster has no GPU, or the model is told to use none, a machine has one actor.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkle_bench import editors
from sparkle_bench.cluster import Cluster, join
from sparkle_bench.editors import Editor, Recipe
from sparkle_bench.editors.fleet import together
from sparkle_bench.editors.on_ray.crew import Crew, Lost, NoRoom, Post, Terms
from sparkle_bench.editors.on_ray.station import Station
from sparkle_bench.editors.worker import lines
from sparkle_bench.errors import EditorError, MachineError
from sparkle_bench.records import Edit, Effort, Sample, to_json

if TYPE_CHECKING:
    from sparkle_bench.editors.placing import Where

VACANT_SECONDS = 600.0
"""A run with no actor left waits so long for one, or as long as loading may take, if that is less."""
MOST_LOSSES = 2
"""So many actors may be lost over one sample; the second has nothing else to do meanwhile."""
MOST_LOST_MACHINES = 4
"""So many machines may be lost under one sample, which is rarely to blame."""
GROWTH = 2
"""So many times the first actors' places are kept busy, should machines join."""
BEFORE = 64
"""Places, as far as is known before the cluster is looked at."""


def actors(recipe: Recipe, where: Where, *, say: Callable[[str], object] = lambda line: None) -> list[Editor]:
    """Return the editor of a recipe on a cluster; one, for it knows itself what to do about lost machines.

    Args:
        recipe: The model.
        where: Where it runs.
        say: Told in one line of an actor or a machine that the run does without.

    Raises:
        EditorError: An option is unknown, or the model is hosted elsewhere anyway.
    """
    return [OnRay(recipe, where, say=say)]


@dataclass(slots=True, kw_only=True)
class _Losses:
    """What was lost over one sample."""

    actors: int = 0
    machines: int = 0


class OnRay:
    """A model whose actors edit on the machines of a Ray cluster. Threads may share it.

    A lost machine's samples are edited elsewhere, and a machine that comes is used. A sample over which two actors were
    lost is a failure of its own; one that finds a full disk is edited elsewhere.
    """

    thread_safe = True

    def __init__(self, recipe: Recipe, where: Where, *, say: Callable[[str], object] = lambda line: None) -> None:
        """Make one; the cluster is not looked at yet.

        Args:
            recipe: The model.
            where: Where it runs.
            say: Told in one line of an actor or a machine that the run does without.

        Raises:
            EditorError: An option is unknown, or the model is hosted elsewhere anyway.
        """
        from sparkle_bench.editors import preset as presets

        self._recipe, self._where, self._say = recipe, where, say
        self._light = editors.build(recipe)
        self._needs = presets.from_data(*recipe.preset).needs if recipe.preset else presets.Needs()
        if self._needs.key is not None:
            raise EditorError(f"{recipe.name} is hosted by others and needs no machines here; leave out --executor ray")
        self.incidental: tuple[str, ...] = tuple(getattr(self._light, "incidental", ()))
        self.keys: tuple[str, ...] = tuple(getattr(self._light, "keys", ()))
        self._joining = threading.Lock()
        self._joined: tuple[Cluster, Crew] | None = None
        self._losses: dict[str, _Losses] = {}
        if hasattr(self._light, "is_current"):
            self.is_current = self._is_current

    @property
    def at_once(self) -> int:
        """Samples on their way at once; there is room for machines that come later."""
        return BEFORE if self._joined is None else max(1, GROWTH * self._joined[1].room)

    @property
    def hashes(self) -> Any:
        """What is remembered of files' hashes, for `is_current`."""
        return getattr(self._light, "hashes", None)

    @hashes.setter
    def hashes(self, hashes: Any) -> None:
        if hasattr(self._light, "hashes"):
            self._light.hashes = hashes

    def _is_current(self, sample: Sample, edit: Edit) -> bool:
        return editors.is_current(self._light, sample, edit)

    def shape(self, sample: Sample) -> tuple[int, int, int]:
        """Return (frames, height, width) as the model sees the sample."""
        return editors.shape(self._light, sample)

    def load(self) -> None:
        """Join the cluster, and load the model on every GPU that is free.

        Raises:
            MachineError: The cluster cannot be joined.
            MemberLost: The model can be loaded nowhere.
        """
        self._at_work()[1].assemble()

    def describe(self) -> dict[str, Any]:
        """Return what the actors say of the model, and on how many machines they are."""
        self.load()
        ready = self._at_work()[1].ready
        said = together([post.hello["describe"] for post in ready if post.hello is not None])
        return {**said, "ray": {"actors": len(ready), "machines": len({post.node for post in ready})}}

    def hardware(self) -> dict[str, Any]:
        """Return every kind of machine that edits, without their names, and how many there are of it."""
        self.load()
        machines = {post.node: post.hello["hardware"] for post in self._at_work()[1].ready if post.hello is not None}
        kinds = Counter(json.dumps(machine, sort_keys=True) for machine in machines.values())
        return {
            "machines": [
                {"count": count} | json.loads(kind)
                for kind, count in sorted(kinds.items(), key=lambda k: (-k[1], k[0]))
            ]
        }

    def declared(self) -> dict[str, Any]:
        """Return what the makers declare of the model."""
        ready = self._joined[1].ready if self._joined else []
        said = [post.hello["declared"] for post in ready if post.hello is not None]
        return dict(said[0]) if said else editors.declared(self._light)

    def prepare(self, samples: Sequence[Sample]) -> None:
        """Let the editor look at its work, here and, once it is loaded, on every machine.

        Raises:
            EditorError: It refuses the work.
        """
        if not hasattr(self._light, "prepare"):
            return
        editors.prepare(self._light, samples)
        self._at_work()[1].prepare([to_json(sample) for sample in samples])

    def edit(self, sample: Sample, out: Path) -> Effort | None:
        """Send a sample to whoever has the most free places; if that actor is lost, to another.

        Raises:
            MemberLost: No actor is left, and none came back.
            MachineError: This machine has no room for clips.
            EditorError: The edit failed, or two actors were lost over it, or the run was stopped.
            SparkleError: What the editor raised.
        """
        crew = self._at_work()[1]
        clip = None
        while True:
            alone = sample.id in self._losses
            post, edited = crew.take(alone=alone), False
            try:
                clip = self._stored(sample) if clip is None else clip
                answer, made = crew.answer(post.actor.edit.remote(to_json(sample), clip))
                error = lines.raised(answer) if "error" in answer else None
                edited = not ("lost" in answer or "dead" in answer or isinstance(error, MachineError))
            except Lost as lost:
                crew.lose(post, str(lost))
                self._count(sample, post, str(lost))
                continue
            except NoRoom as full:
                crew.set_aside(post, str(full))
                continue
            finally:
                crew.give_back(post, alone=alone, edited=edited)
            if not edited:
                crew.set_aside(post, str(error))
                if "dead" in answer:  # the others have met with what is no sample's fault
                    self._count(sample, post, str(error))
                continue
            if error is not None:
                raise error
            out.write_bytes(made)
            return lines.effort(answer)

    def close(self) -> None:
        """End all actors, and leave the cluster."""
        with self._joining:
            joined = self._joined
        if joined is not None:
            joined[1].close()

    def _at_work(self) -> tuple[Cluster, Crew]:
        """Return the cluster and the crew; the cluster is joined if need be."""
        with self._joining:
            if self._joined is None:
                cluster = join(self._where.ray_address)
                self._joined = cluster, Crew(cluster, self._terms(cluster))
            return self._joined

    def _terms(self, cluster: Cluster) -> Terms:
        where = replace(self._where, gpus=(), executor="local", ray_address=None)
        places = editors.at_once(self._light)
        hireling = cluster.ray.remote(Station)
        none = str(self._recipe.options.get("device", "")).startswith("cpu")

        def make(options: Mapping[str, Any]) -> Any:
            # Beside the edits it must hear that it is to prepare or to end.
            alike = {"max_restarts": 0, "max_task_retries": 0, "max_concurrency": places + 3}
            return hireling.options(**alike, **options).remote(self._recipe, where)

        return Terms(
            make=make,
            gpus=not none and (self._needs.gpu_gb is not None or cluster.total("GPU") > 0),
            places=places,
            patience=min(VACANT_SECONDS, self._where.load_timeout),
            model=self._recipe.name,
            say=self._say,
        )

    def _stored(self, sample: Sample) -> Any:
        """Put a clip where the actors can get it."""
        ray = self._at_work()[0].ray
        content = sample.source_path.read_bytes()
        try:
            return ray.put(content)
        except (ray.exceptions.ObjectStoreFullError, ray.exceptions.OutOfDiskError) as error:
            raise MachineError(
                f"Ray has no room for {sample.source} ({len(content) >> 20} MB); give its object store more memory or disk"
            ) from error

    def _count(self, sample: Sample, post: Post, why: str) -> None:
        """Note what was lost over a sample.

        Raises:
            EditorError: It is enough.
        """
        cluster = self._at_work()[0]
        losses = self._losses.setdefault(sample.id, _Losses())
        if cluster.has(post.node):
            losses.actors += 1
        else:
            losses.machines += 1
        if losses.actors >= MOST_LOSSES or losses.machines >= MOST_LOST_MACHINES:
            raise EditorError(f"{losses.actors + losses.machines} actors were lost over it; the last: {why}")
