"""Where packages wait: docks that unload trailers, and sorters that work by the shift."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from typing import Any

SMALL = 1e-9


class Docks:
    """``count`` docks of a site (None: as many as come); one trailer each at a time, in order."""

    def __init__(self, env: Any, count: int | None) -> None:
        import simpy

        self.env = env
        self.resource = None if count is None else simpy.Resource(env, capacity=count)
        self.waits: list[float] = []

    def unload(self, hours: float) -> Generator[Any, Any, None]:
        """Wait for a dock, then stay on it."""
        came = self.env.now
        if self.resource is None:
            self.waits.append(0.0)
            yield self.env.timeout(hours)
            return
        with self.resource.request() as request:
            yield request
            self.waits.append(self.env.now - came)
            yield self.env.timeout(hours)


class Queue:
    """Packages that wait to be sorted, by stage, first come first served."""

    def __init__(self, env: Any) -> None:
        self.env = env
        self.parts: deque[list[Any]] = deque()  # [stage, packages, hour]
        self.total = 0.0
        self.filled = env.event()

    def put(self, stage: int, packages: float) -> None:
        """Packages of a stage arrive."""
        if packages <= 0:
            return
        self.parts.append([stage, packages, self.env.now])
        self.total += packages
        if not self.filled.triggered:
            self.filled.succeed()

    def take(self, most: float) -> list[tuple[int, float, float]]:
        """The first ``most`` packages: stage, packages and hour of arrival."""
        taken, left = [], most
        while left > SMALL and self.parts:
            first = self.parts[0]
            some = min(first[1], left)
            taken.append((first[0], some, first[2]))
            first[1] -= some
            left -= some
            self.total -= some
            if first[1] <= SMALL:
                self.total -= first[1]
                self.parts.popleft()
        if not self.parts:
            self.total = 0.0
        return taken

    def waiting(self) -> Any:
        """An event that happens once there is something to sort."""
        if self.parts:
            event = self.env.event()
            event.succeed()
            return event
        if self.filled.triggered:
            self.filled = self.env.event()
        return self.filled


def work(
    env: Any,
    queue: Queue,
    *,
    rate_pkg_per_hour: float,
    until: float,
    batch_pkg: float,
    most_pkg: float,
    sorted_out: Callable[[list[tuple[int, float, float]]], None],
) -> Generator[Any, Any, float]:
    """Sort from a queue until an hour, at most so many packages; returns how many were sorted."""
    sorted_pkg = 0.0
    while env.now < until - SMALL and rate_pkg_per_hour > 0 and sorted_pkg < most_pkg - SMALL:
        if queue.total <= SMALL:
            yield queue.waiting() | env.timeout(until - env.now)
            continue
        room = min(batch_pkg, rate_pkg_per_hour * (until - env.now), most_pkg - sorted_pkg)
        taken = queue.take(room)
        packages = sum(part[1] for part in taken)
        yield env.timeout(packages / rate_pkg_per_hour)
        sorted_out(taken)
        sorted_pkg += packages
    return sorted_pkg
