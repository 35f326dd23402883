"""What torchrun starts in tests: trains the configs that it is given, one after another, and says its process id."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.training.loop.loop_builders import silent
from training.loop import load_train_config, train


def main(folder: Path, configs: list[str]) -> None:
    """Write pid-<rank> into a folder, and train."""
    (folder / f"pid-{os.environ['RANK']}").write_text(str(os.getpid()))
    for config in configs:
        train(load_train_config(Path(config)), silent)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
