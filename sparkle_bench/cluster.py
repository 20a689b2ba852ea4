"""Joining a Ray cluster as a guest: this program stays itself.

Ray prints nothing into our output, leaves our signals as they are, sends no statistics and opens no dashboard. This
package travels to the machines of the cluster, which need Ray, numpy, av and pillow, and the same Python as here.
"""

from __future__ import annotations

import logging
import re
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import sparkle_bench
from sparkle_bench.errors import MachineError, one_line

CONNECT_SECONDS = 10.0
"""Ray itself would wait for minutes where nobody answers, and say so on and on."""
_STATISTICS = ("ray._common.usage.usage_lib", "ray._private.usage.usage_lib")
"""Where Ray decides on them, in newer and older versions."""
_ADDRESS = re.compile(r"(\[[0-9a-fA-F:.]+\]|[\w.-]+):\d{1,5}")
INSTALL = "install it with pip install 'sparkle-bench[ray]'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A cluster that was joined.

    Attributes:
        ray: Ray.
        ours: Whether we joined it, and so leave it at the end; else the program around us did.
    """

    ray: ModuleType
    ours: bool

    @property
    def nodes(self) -> list[dict[str, Any]]:
        """The machines that are up."""
        return [node for node in self.ray.nodes() if node["Alive"]]

    def has(self, node: str) -> bool:
        """Whether a machine is still up."""
        return any(each["NodeID"] == node for each in self.nodes)

    def total(self, resource: str) -> int:
        """Return how many of a resource all machines have."""
        return sum(int(node["Resources"].get(resource, 0)) for node in self.nodes)

    def free(self, resource: str) -> int:
        """Return how many of a resource nobody holds now."""
        return int(self.ray.available_resources().get(resource, 0))

    def at(self, node: str) -> Any:
        """Return what places an actor at a machine."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        return NodeAffinitySchedulingStrategy(node_id=node, soft=False)

    def leave(self) -> None:
        """Leave it; actors of ours that still run are ended. One that was started here ends."""
        if self.ours:
            with _signals_kept():
                self.ray.shutdown()


def join(address: str | None) -> Cluster:
    """Join the cluster at an address, or the one that runs on this machine, or start one here with its GPUs.

    Raises:
        MachineError: There is no Ray here, nobody answers, or the cluster has another Python or Ray.
    """
    try:
        import ray
    except ImportError as error:
        raise MachineError(f"there is no Ray here; {INSTALL}") from error
    if ray.is_initialized():
        return Cluster(ray=ray, ours=False)
    if address and "://" in address:
        raise MachineError(
            f"the Ray address {one_line(address)!r} is a client's; run this on a machine of the cluster and pass HOST:PORT "
            "of its head, or leave --ray-address out there"
        )
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    found = None if address == "local" else _found(address or "auto")
    if found is None and address not in (None, "local"):
        raise MachineError("no Ray cluster runs on this machine; ray start joins it to one")
    if found is not None and not _answers(found):
        if address is not None:
            raise MachineError(f"no Ray cluster answers at {found}; start it with ray start --head")
        found = None  # what Ray remembers is gone
    _joined(ray, found or "local")
    return Cluster(ray=ray, ours=True)


def _found(address: str) -> str | None:
    """Return the address as Ray sees it; of `auto`, that of the cluster that this machine belongs to, or None.

    Raises:
        MachineError: It is no address.
    """
    from ray._private import services

    if address != "auto" and not _ADDRESS.fullmatch(address):
        raise MachineError(f"the Ray address {one_line(address)!r} is none; it looks like 10.0.0.1:6379")
    try:
        found: str | None = services.canonicalize_bootstrap_address(address)
    except ConnectionError:
        return None
    return found


def _answers(address: str) -> bool:
    """Whether anybody listens at an address."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except (OSError, OverflowError, ValueError):
        return False
    return True


def _joined(ray: ModuleType, address: str) -> None:
    """Join, or start a cluster if the address is `local`.

    Raises:
        MachineError: It cannot be joined.
    """
    from ray._private import worker

    if hasattr(worker, "_worker_logs_enabled"):  # else news of lost machines are printed on our standard output
        worker._worker_logs_enabled = False
    for module in _STATISTICS:  # a cluster that is started here sends none
        with suppress(ImportError, AttributeError):
            import_module(module).set_usage_stats_enabled_via_env_var(False)
    package = Path(sparkle_bench.__file__).parent
    try:
        with _signals_kept():
            ray.init(
                address=address,
                log_to_driver=False,
                logging_level=logging.CRITICAL,
                runtime_env={"py_modules": [str(package)], "excludes": ["**/__pycache__", "_data"]},
                **({"include_dashboard": False} if address == "local" else {}),
            )
    except Exception as error:  # Ray raises what it likes: another Python, another Ray, no room for its files
        if ray.is_initialized():
            ray.shutdown()
        raise MachineError(f"the Ray cluster cannot be joined: {type(error).__name__}: {one_line(error)}") from error


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Undo what Ray does to our signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            with suppress(TypeError, ValueError):
                signal.signal(number, handler)
