"""Where nodes, edges and labels of a graph's picture go: Sugiyama's layers, in inches.

Layers run from left to right.  An edge that skips a layer gets a slot of its own there, so that it
passes between the boxes; an edge against the layers is laid out as if turned around.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from lanecast.causal.graph.graph import Edge, Graph

Spot = tuple[float, float]
Slot = tuple[int, int] | str  # a node, or (number of the edge, layer) where an edge passes
TALL, PORT = 0.44, 0.16  # least height of a box, and distance between the edges at its side
GAP = 1.75  # between the boxes of neighboring layers, where the edges and their labels are
NODE, PASS = 0.72, 0.5  # room around a box, and height that a passing edge takes in its layer
SWEEPS = 12
SAMPLES = 25  # of one piece of a curve


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Centers and sizes of the boxes; of each link, its pieces as four Bezier points each."""

    spots: Mapping[str, Spot]
    tall: Mapping[str, float]
    wide: float
    curves: Sequence[np.ndarray]  # [pieces, 4, 2], from source to target


def laid_out(graph: Graph, links: Sequence[tuple[str, str]]) -> Layout:
    """Place the nodes of a graph, and route ``links``, pairs of different nodes."""
    layer = _layers(graph)
    chains = [_chain(number, link, layer) for number, link in enumerate(links)]
    columns = _ordered(layer, chains)
    tall = _tall(layer, chains)
    height = _heights(columns, chains, tall)
    wide = max(1.1, 0.3 + 0.085 * max(map(len, layer)))
    x = {name: at * (wide + GAP) for name, at in layer.items()}
    spots = {name: (x[name], height[name]) for name in layer}
    ports = _ports(chains, height, tall)
    curves = []
    for chain, link, (first, last) in zip(chains, links, ports, strict=True):
        points = [(x[str(chain[0])] + wide / 2, height[chain[0]] + first)]
        for slot in chain[1:-1]:
            middle = int(slot[1]) * (wide + GAP)
            points += [(middle + side * wide / 2, height[slot]) for side in (-1, 1)]
        points.append((x[str(chain[-1])] - wide / 2, height[chain[-1]] + last))
        turned = chain[0] != link[0]
        curves.append(_curve(points[::-1] if turned else points))
    return Layout(spots=spots, tall=tall, wide=wide, curves=curves)


def label_spots(curves: Sequence[np.ndarray], sizes: Sequence[Spot]) -> list[Spot]:
    """One spot on each of the first curves, for labels of ``sizes``, far from all that is drawn."""
    sampled = [sample(curve) for curve in curves]
    spots: list[Spot] = []
    for number, (own, size) in enumerate(zip(sampled, sizes, strict=False)):
        others = [points for other, points in enumerate(sampled) if other != number]
        inner = own[len(own) // 8 : -len(own) // 5]
        score = -0.3 * np.abs(np.linspace(-1, 1, len(inner)))  # the middle, other things equal
        if others:  # distances in units of the label, whose box is wider than tall
            lines = np.concatenate(others)
            away = np.linalg.norm((inner[:, None] - lines) / np.array(size), axis=-1)
            score += np.minimum(away.min(axis=1), 2.0)
        for spot, taken in zip(spots, sizes, strict=False):
            room = np.abs(inner - spot) / (np.add(size, taken) / 2)
            score -= 10.0 * (room.max(axis=1) < 1.2)  # the two boxes would touch
        best = inner[int(np.argmax(score))]
        spots.append((float(best[0]), float(best[1])))
    return spots


def sample(curve: np.ndarray) -> np.ndarray:
    """Points along a curve, [points, 2]."""
    t = np.linspace(0, 1, SAMPLES)[:, None]
    weights = [(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3]
    return np.concatenate(
        [sum(w * point for w, point in zip(weights, piece, strict=True)) for piece in curve]
    )


def _layers(graph: Graph) -> dict[str, int]:
    """Topological generation of each node; an edge that would close a cycle is left out.

    Same-step edges come first, then lagged ones, then what policies look at.  What nothing moves
    stands just before the first that it moves.
    """
    import networkx as nx

    acyclic = nx.DiGraph()
    acyclic.add_nodes_from(sorted(graph.nodes))

    def rank(edge: Edge) -> tuple[bool, bool, str, str]:
        return edge.policy, 0 not in edge.lags, edge.source, edge.target

    for edge in sorted(graph.causal, key=rank):
        if not nx.has_path(acyclic, edge.target, edge.source):
            acyclic.add_edge(edge.source, edge.target)
    layers = enumerate(nx.topological_generations(acyclic))
    layer = {name: number for number, names in layers for name in names}
    for name in layer:
        if acyclic.in_degree(name) == 0 and acyclic.out_degree(name):
            layer[name] = min(layer[child] for child in acyclic.successors(name)) - 1
    _part(graph, layer)
    return layer


def _part(graph: Graph, layer: dict[str, int]) -> None:
    """Put pairs with a hidden common cause into different layers, where that moves no other."""
    for first, second in sorted(graph.bidirected):
        if layer[first] == layer[second]:
            behind = {layer[e.target] for e in graph.causal if e.source == second}
            if layer[second] + 1 < min(behind, default=len(layer)):
                layer[second] += 1


def _chain(number: int, link: tuple[str, str], layer: Mapping[str, int]) -> list[Slot]:
    left, right = sorted(link, key=lambda name: (layer[name], name))
    passed = range(layer[left] + 1, layer[right])
    return [left, *((number, at) for at in passed), right]


def _ordered(layer: Mapping[str, int], chains: Sequence[Sequence[Slot]]) -> list[list[Slot]]:
    """Slots of each layer, top to bottom, with few crossings: barycenters, best sweep kept."""
    columns: list[list[Slot]] = [[] for _ in range(max(layer.values()) + 1)]
    for name in sorted(layer):
        columns[layer[name]].append(name)
    for chain in chains:
        for slot in chain[1:-1]:
            columns[int(slot[1])].append(slot)
    near = _neighbors(chains)
    best, fewest = [list(column) for column in columns], _crossings(columns, chains)
    for sweep in range(SWEEPS):
        for column in columns if sweep % 2 == 0 else columns[::-1]:
            place = {slot: row - len(c) / 2 for c in columns for row, slot in enumerate(c)}
            column.sort(key=lambda s: _mean([place[n] for n in near[s]], place[s]))
        crossed = _crossings(columns, chains)
        if crossed < fewest:
            best, fewest = [list(column) for column in columns], crossed
    return best


def _tall(names: Iterable[str], chains: Sequence[Sequence[Slot]]) -> dict[str, float]:
    """Height of each box: enough for the edges on its busier side."""
    left, right = Counter(chain[-1] for chain in chains), Counter(chain[0] for chain in chains)
    busy = {name: max(left[name], right[name]) for name in names}
    return {name: max(TALL, PORT * (count - 1) + 0.2) for name, count in busy.items()}


def _heights(
    columns: Sequence[Sequence[Slot]],
    chains: Sequence[Sequence[Slot]],
    tall: Mapping[str, float],
) -> dict[Slot, float]:
    """Height of each slot: near its neighbors, in order, and never too close to the next."""
    near = _neighbors(chains)
    height: dict[Slot, float] = {}
    for column in columns:
        for row, slot in enumerate(column):
            height[slot] = (NODE + TALL) * ((len(column) - 1) / 2 - row)
    for sweep in range(SWEEPS):
        for column in columns if sweep % 2 == 0 else columns[::-1]:
            wish = [_mean([height[n] for n in near[slot]], height[slot]) for slot in column]
            offset = np.cumsum([0.0, *(_apart(a, b, tall) for a, b in pairwise(column))])
            free = _falling(np.array(wish) + offset)
            for slot, at in zip(column, free - offset, strict=True):
                height[slot] = float(at)
    return height


def _falling(wish: np.ndarray) -> np.ndarray:
    """The nearest sequence that never rises, in least squares (pool adjacent violators)."""
    pools: list[list[float]] = []
    for value in wish:
        pools.append([float(value)])
        while len(pools) > 1 and np.mean(pools[-1]) > np.mean(pools[-2]):
            pools[-2:] = [pools[-2] + pools[-1]]
    return np.array([np.mean(pool) for pool in pools for _ in pool])


def _apart(above: Slot, below: Slot, tall: Mapping[str, float]) -> float:
    return sum(NODE + tall[s] if isinstance(s, str) else PASS for s in (above, below)) / 2


def _ports(
    chains: Sequence[Sequence[Slot]], height: Mapping[Slot, float], tall: Mapping[str, float]
) -> list[tuple[float, float]]:
    """Where each chain leaves its first box and enters its last, relative to the centers."""
    sides: dict[tuple[Slot, bool], list[tuple[float, int]]] = defaultdict(list)
    for number, chain in enumerate(chains):
        sides[chain[0], True].append((-height[chain[1]], number))
        sides[chain[-1], False].append((-height[chain[-2]], number))
    offset: dict[tuple[int, bool], float] = {}
    for (box, right), ends in sides.items():
        reach = tall[str(box)] / 2 - 0.1 if len(ends) > 1 else 0.0
        room = np.linspace(reach, -reach, len(ends))
        for at, (_, number) in zip(room, sorted(ends), strict=True):
            offset[number, right] = float(at)
    return [(offset[number, True], offset[number, False]) for number in range(len(chains))]


def _curve(points: Sequence[Spot]) -> np.ndarray:
    """Bezier pieces through the points, level at each of them, [pieces, 4, 2]."""
    pieces = []
    for a, b in pairwise(points):
        middle = (a[0] + b[0]) / 2
        pieces.append([a, (middle, a[1]), (middle, b[1]), b])
    return np.array(pieces)


def _neighbors(chains: Sequence[Sequence[Slot]]) -> dict[Slot, list[Slot]]:
    near: dict[Slot, list[Slot]] = defaultdict(list)
    for chain in chains:
        for a, b in pairwise(chain):
            near[a].append(b)
            near[b].append(a)
    return near


def _crossings(columns: Sequence[Sequence[Slot]], chains: Sequence[Sequence[Slot]]) -> int:
    row = {slot: (at, y) for at, column in enumerate(columns) for y, slot in enumerate(column)}
    spans: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for chain in chains:
        for a, b in pairwise(chain):
            spans[row[a][0]].append((row[a][1], row[b][1]))
    return sum(
        (a - c) * (b - d) < 0
        for pairs in spans.values()
        for number, (a, b) in enumerate(pairs)
        for c, d in pairs[:number]
    )


def _mean(values: Sequence[float], default: float) -> float:
    return float(np.mean(values)) if values else default
