"""Write the golden losses anew; README.md beside this file says when."""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from golden_losses import FOLDER, GOLDEN, losses_of

from lanecast.testing import example_panel

if __name__ == "__main__":
    for network in GOLDEN:
        found = losses_of(network, example_panel())
        (FOLDER / f"{network}.json").write_text(json.dumps(found, indent=1) + "\n")
