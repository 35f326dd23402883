"""What torchrun starts in tests: trains the configs that it is given, one after another, and says its process id.

A config called cut-3.yaml is stopped by SIGTERM to the first rank in its third step, and gone on with.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from curation.displays import NoDisplay
from tests.training.loop.loop_builders import silent
from training.loop import load_train_config, train


class Signals(NoDisplay):
    """Sends this process SIGTERM in a step."""

    def __init__(self, step: int) -> None:
        self._step = step

    def show(self, done: int, total: int, note: str = "") -> None:
        if done == self._step and note:
            os.kill(os.getpid(), signal.SIGTERM)


def main(folder: Path, configs: list[str]) -> None:
    """Write pid-<rank> into a folder, and train."""
    (folder / f"pid-{os.environ['RANK']}").write_text(str(os.getpid()))
    for path in map(Path, configs):
        if path.stem.startswith("cut-"):
            _train_to(path, int(path.stem.removeprefix("cut-")))
        train(load_train_config(path), silent)


def _train_to(path: Path, step: int) -> None:
    try:
        train(load_train_config(path), lambda title: Signals(step))
    except SystemExit as end:
        assert end.code == 0
    else:
        raise AssertionError(f"{path} was not stopped")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
