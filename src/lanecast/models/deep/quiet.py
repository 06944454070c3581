"""Lightning without its log lines: what matters of a fit reaches the reporter and the bar."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

# Two distributions of one library: neuralforecast brings the older names, and whichever is imported
# last decides which logger both speak through.
LOGGERS = (
    "lightning",
    "lightning.pytorch",
    "lightning.fabric",
    "pytorch_lightning",
    "lightning_fabric",
)


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Let errors alone through within the block."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
