"""How time grows: fitted exponents over windows, series and length, and none over the panel."""

import ctypes
import os
import statistics
import subprocess
import sys
import time
from functools import partial

import numpy as np
import pytest
import torch

from benchmarks.speed.backtests import TimedBacktest
from benchmarks.speed.cases import synthetic_panel
from benchmarks.speed.incumbent import frame_of
from benchmarks.speed.steps import Setting, ours_of
from lanecast.config import CALM_THREADS
from lanecast.data.ingest.layout import panel_from_table
from lanecast.data.scaling import Scaler
from lanecast.data.windows import WindowSpec, training_windows
from lanecast.models.deep.losses import MultiQuantile
from lanecast.models.deep.networks.base import NeuralforecastNetwork
from lanecast.models.deep.optimization import Hardware, Optimization
from lanecast.sources import SourceTable

NHITS = {
    "n_pool_kernel_size": [4, 2, 1],
    "n_freq_downsample": [14, 7, 1],
    "mlp_units": [[256, 256]] * 3,
}
SPEC = WindowSpec(context=56, horizon=14, min_context=14)


def setting() -> Setting:
    optimizer = partial(torch.optim.AdamW, lr=1e-3, fused=True)
    return Setting(
        network=partial(NeuralforecastNetwork, name="NHITS", options=NHITS),
        loss=MultiQuantile(levels=[0.1, 0.5, 0.9]),
        scaler=Scaler,
        windows=SPEC,
        optim=Optimization(optimizer=optimizer, max_steps=1, batch_size=512, val_steps=0),
        hardware=Hardware(progress=False, threads=2),
        steps=20,
        warmup=5,
        levels=(0.1, 0.5, 0.9),
        name="NHITS",
        options=NHITS,
    )


def busy_seconds(work) -> float:
    """Processor time of all threads: a busy neighbour adds nothing to it."""
    started = time.process_time()
    work()
    return time.process_time() - started


@pytest.fixture
def kept_memory():
    """What is freed stays with the process, so that a clock sees the work and not the machine.

    Arrays beyond 32 MiB would be mapped anew each time, and where the host of a virtual machine
    takes free pages back, touching them again costs many times what it costs at once.
    Afterwards the limits are those that glibc itself comes to once a process has freed arrays of
    32 MiB: who sets one switches that off, and 128 KiB, where it begins, is little for the proofs
    that follow in this process.
    """
    m_trim_threshold, m_mmap_threshold, m_mmap_max = -1, -3, -4
    libc = ctypes.CDLL(None)
    assert libc.mallopt(m_mmap_max, 0)
    assert libc.mallopt(m_trim_threshold, -1)
    yield
    assert libc.mallopt(m_mmap_max, 65536)
    assert libc.mallopt(m_mmap_threshold, 32 << 20)
    assert libc.mallopt(m_trim_threshold, 64 << 20)


def exponent(clocks, sizes, *, rounds: int, what: str) -> float:
    """Slope of log time over log size; the fastest of interleaved rounds counts."""
    for clock in clocks:
        clock()  # once before it counts
    best = np.min([[clock() for clock in clocks] for _ in range(rounds)], axis=0)
    slope = float(np.polyfit(np.log(sizes), np.log(best), 1)[0])
    print(f"{what} {list(sizes)}: {np.round(best, 3).tolist()} s, exponent {slope:.3f}")
    return slope


@pytest.mark.slow
def test_a_backtest_grows_linearly_with_its_windows():
    panel = synthetic_panel(num_series=1000, num_steps=500, covariates=False)
    sizes = (25, 50, 100, 200)
    clocks = [TimedBacktest.of(panel, setting(), windows=size, stride=1).ours for size in sizes]
    assert abs(exponent(clocks, sizes, rounds=3, what="windows") - 1) <= 0.1


@pytest.mark.slow
@pytest.mark.usefixtures("kept_memory")
@pytest.mark.parametrize("what", ["length", "series"])
def test_preparing_grows_linearly(what):
    """The border, every statistic of the scaler and the training windows: 5 to 20 M cells."""
    sizes, clocks = (10_000, 20_000, 40_000), []
    for size in sizes:
        series, steps = (500, size) if what == "length" else (size, 500)
        panel = synthetic_panel(num_series=series, num_steps=steps, covariates=True)
        columns = {k: v for k, v in panel.schema.columns.items() if k in panel.schema.stored}
        frame, schema = frame_of(panel)[0], type(panel.schema)(freq="D", columns=columns)

        def prepared(frame=frame, schema=schema) -> None:
            found = panel_from_table(SourceTable(frame=frame), schema)
            until = found.last_step
            Scaler(per="series").fit(found, until=until)
            training_windows(found, until=until, spec=SPEC)

        clocks.append(partial(busy_seconds, prepared))
    assert abs(exponent(clocks, sizes, rounds=3, what=f"preparing, {what}") - 1) <= 0.1


@pytest.mark.slow
def test_a_step_costs_the_same_whatever_the_panel():
    """Beyond the processor's cache: a panel of 1.5 MB and one of 1.6 GB."""
    few, many = (
        ours_of(synthetic_panel(num_series=size, num_steps=400, covariates=False), setting())
        for size in (1_000, 1_000_000)
    )
    pairs = [(few(), many()) for _ in range(7)]
    ratio = statistics.median(large / small for small, large in pairs)
    print(f"a step on 1,000,000 series over one on 1,000: {ratio:.3f}")
    assert ratio <= 1.15


TWO_THREADS = """
import statistics, time, torch
torch.set_num_threads(2)
net = torch.nn.Sequential(*[layer for _ in range(12) for layer in
                            (torch.nn.Linear(256, 256), torch.nn.ReLU())])
x = torch.randn(512, 256)
def step():
    started = time.perf_counter()
    for _ in range(10):
        net(x).sum().backward()
    return time.perf_counter() - started
step()
print(statistics.median(step() for _ in range(9)))
"""


def seconds_of_two_threads(spin: str) -> float:
    env = {**os.environ, **CALM_THREADS, "GOMP_SPINCOUNT": spin}
    env.pop("OMP_NUM_THREADS", None)
    done = subprocess.run(
        [sys.executable, "-c", TWO_THREADS], env=env, capture_output=True, check=True
    )
    return float(done.stdout)


@pytest.mark.slow
def test_threads_wait_as_long_as_pays():
    """Against sleeping at once: a gain where cores are free, a small loss where one is busy."""
    ours, ratios = CALM_THREADS["GOMP_SPINCOUNT"], {}
    for place in ("free", "busy"):
        neighbour = [sys.executable, "-c", "while True: pass" if place == "busy" else ""]
        with subprocess.Popen(neighbour) as beside:
            pairs = [(seconds_of_two_threads(ours), seconds_of_two_threads("0")) for _ in range(3)]
            beside.kill()
        ratios[place] = statistics.median(mine / asleep for mine, asleep in pairs)
    print({place: round(ratio, 3) for place, ratio in ratios.items()}, "of sleeping at once")
    assert ratios["free"] <= 1.0
    assert ratios["busy"] <= 1.6
