"""The rows of the benchmark's table, measured one after the other as they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from benchmarks.speed.table import Row, has_bf16
from lanecast.errors import ConfigError
from lanecast.pipeline.building import plain_config

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from benchmarks.speed.cases import SpeedCase
    from benchmarks.speed.rounds import Figure
    from benchmarks.speed.steps import Setting


def rows(cfg: DictConfig) -> Iterator[Row]:
    """Measure one row after the other."""
    from benchmarks.speed.cases import SpeedCase

    wanted = list(cfg.figures)
    if "startup" in wanted:
        yield from _startup_rows(int(cfg.slow_rounds))
    for name, measure in BY_CASE.items():
        for network in _networks(cfg, name) if name in wanted else ():
            for text in plain_config(cfg.cases)[network]:
                yield from measure(cfg, SpeedCase.of(text), network)
    if "backtest" in wanted:
        for network in cfg.networks:
            for entry in plain_config(cfg.backtests).get(network, []):
                yield from _backtest_rows(
                    cfg, SpeedCase.of(entry["case"]), network, entry["windows"]
                )
    if "prepare" in wanted:
        from benchmarks.speed.preparing import prepare_rows

        yield from prepare_rows([SpeedCase.of(text) for text in cfg.prepared], int(cfg.slow_rounds))
    if "sweep" in wanted:
        from benchmarks.speed.sweeping import sweep_rows

        yield from sweep_rows()


def _networks(cfg: DictConfig, figure: str) -> list[str]:
    """The networks that the figure is measured of, in order; ConfigError if there is none."""
    networks = [each for each in cfg.networks if figure != "seeds" or each in cfg.stacked]
    if not networks:
        raise ConfigError(
            f"figures=[{figure}] is measured of none of networks={list(cfg.networks)}; ask for one"
            f" of stacked={list(cfg.stacked)}"
        )
    return networks


def setting_of(cfg: DictConfig, network: str) -> Setting:
    """What is timed for one network of ``cfg.networks``: its own model config, all else shared."""
    from benchmarks.speed.steps import Setting
    from lanecast.config import composed_roots, instantiate, packaged_conf, resolved_config

    own = plain_config(cfg.settings).get(network, {})
    overrides = [
        f"model={own.get('model', network)}",
        "paths.output=.",
        "optim=adamw_fused",
        f"trainer={cfg.device}",
    ]
    (whole,) = composed_roots(packaged_conf(), "backtest", [overrides])
    plain = resolved_config(whole)
    optim, hardware = instantiate(plain["optim"]), instantiate(plain["trainer"])
    declared = plain["model"]["network"]
    declared["options"] |= own.get("options", {})
    return Setting(
        network=instantiate(declared),
        loss=instantiate(plain["loss"]),
        scaler=instantiate(plain["scaler"]),
        windows=instantiate(plain["windows"]),
        optim=replace(optim, batch_size=int(own.get("batch_size", cfg.batch_size))),
        hardware=replace(hardware, progress=False, threads=int(cfg.threads), precision="32-true"),
        steps=int(own.get("steps", cfg.steps)),
        warmup=int(own.get("warmup", cfg.warmup)),
        name=str(declared["name"]),
        options=declared["options"],
    )


def _step_rows(cfg: DictConfig, case: SpeedCase, network: str) -> Iterator[Row]:
    """One row for each of ``cfg.precisions``; the floor of all is the bare network at fp32."""
    from benchmarks.speed import steps
    from benchmarks.speed.incumbent import Incumbent
    from benchmarks.speed.rounds import figure, interleaved

    setting, panel = setting_of(cfg, network), case.panel()
    floor, windows = steps.floor_of(panel, setting), setting.optim.batch_size
    for name in cfg.precisions:
        chosen = at_precision(setting, str(name))
        if chosen.hardware.precision != "32-true" and not has_bf16(setting.device):
            continue
        incumbent = None if chosen.hardware.compile else Incumbent(panel, chosen).step()
        step = steps.ours_of(panel, chosen)
        rounds = _rounds(cfg, setting)
        medians = figure(
            interleaved(floor=floor, lanecast=step, neuralforecast=incumbent, rounds=rounds)
        )
        yield _row(case, network, windows, "train_step", medians, precision=str(name))


def at_precision(setting: Setting, name: str) -> Setting:
    """The setting at ``fp32`` or ``bf16-mixed``; ``+mode`` compiles the network."""
    precision, _, mode = name.partition("+")
    hardware = replace(
        setting.hardware,
        precision="32-true" if precision == "fp32" else precision,
        compile=mode or None,
    )
    return replace(setting, hardware=hardware)


def _roofline_rows(cfg: DictConfig, case: SpeedCase, network: str) -> Iterator[Row]:
    """Our steps beside what their arithmetic or traffic takes at the device's best."""
    from benchmarks.speed import roofline, steps
    from benchmarks.speed.rounds import figure, interleaved

    panel = case.panel()
    for name in cfg.precisions:
        setting = at_precision(setting_of(cfg, network), str(name))
        if setting.hardware.precision != "32-true" and not has_bf16(setting.device):
            continue
        best = roofline.attainable(roofline.work_of(panel, setting), setting)
        step = steps.ours_of(panel, setting)
        rounds = _rounds(cfg, setting)
        medians = figure(interleaved(floor=best, lanecast=step, neuralforecast=None, rounds=rounds))
        windows = setting.optim.batch_size
        yield _row(case, network, windows, "roofline", medians, precision=str(name))


def _seeds_rows(cfg: DictConfig, case: SpeedCase, network: str) -> Iterator[Row]:
    """``cfg.seeds`` seeds in one pass, per seed; the floor is a fit of one seed alone."""
    from benchmarks.speed import seeds, steps
    from benchmarks.speed.incumbent import Incumbent
    from benchmarks.speed.rounds import figure, interleaved

    setting, panel, count = setting_of(cfg, network), case.panel(), int(cfg.seeds)
    medians = figure(
        interleaved(
            floor=steps.ours_of(panel, setting),
            lanecast=seeds.stacked_of(panel, setting, seeds=count),
            neuralforecast=Incumbent(panel, setting).step(),
            rounds=_rounds(cfg, setting),
        )
    )
    yield _row(case, f"{network} x{count}", setting.optim.batch_size, "seeds", medians)


def _rounds(cfg: DictConfig, setting: Setting) -> int:
    return int(cfg.rounds if setting.name == "NHITS" else cfg.slow_rounds)


def _backtest_rows(
    cfg: DictConfig, case: SpeedCase, network: str, windows: Sequence[int]
) -> Iterator[Row]:
    from benchmarks.speed.backtests import TimedBacktest
    from benchmarks.speed.incumbent import Incumbent
    from benchmarks.speed.rounds import figure, interleaved

    setting, panel = setting_of(cfg, network), case.panel()
    incumbent = Incumbent(panel, setting)
    for number in windows:
        backtest = TimedBacktest.of(panel, setting, windows=number, stride=1)
        incumbent_backtest = incumbent.backtest(windows=number, stride=1)
        clocks = {
            "floor": backtest.floor(),
            "lanecast": backtest.ours,
            "neuralforecast": incumbent_backtest,
        }
        for clock in clocks.values():
            clock()  # once before it counts
        medians = figure(interleaved(**clocks, rounds=int(cfg.slow_rounds)))
        yield _row(case, network, number, "backtest", medians)


def _startup_rows(rounds: int) -> Iterator[Row]:
    from benchmarks.speed import startup
    from benchmarks.speed.rounds import figure, interleaved

    for command in startup.COMMANDS:
        medians = figure(
            interleaved(
                floor=startup.floor(),
                lanecast=startup.ours(command),
                neuralforecast=startup.neuralforecast(),
                rounds=rounds,
            )
        )
        yield {
            "case": command, "covariates": "", "network": "", "windows": "", "precision": "",
            "figure": "startup", **asdict(medians),
        }  # fmt: skip


def _row(
    case: SpeedCase, network: str, windows: int, name: str, medians: Figure, precision: str = "fp32"
) -> Row:
    return {
        "case": case.size,
        "covariates": "4+4+2" if case.covariates else "none",
        "network": network,
        "windows": windows,
        "precision": precision,
        "figure": name,
        **asdict(medians),
    }


BY_CASE = {"train_step": _step_rows, "roofline": _roofline_rows, "seeds": _seeds_rows}
