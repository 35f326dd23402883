"""Perceptual signatures: the frame hashes of many clips in flat arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

HASH_BYTES = 32
HASH_WORDS = 4
STEP_MS = 250
"""Time from one hash of a clip to the next (`curation.media.frame_hashes.HASHES_PER_S`)."""

Clips = NDArray[np.int64]
Rows = NDArray[np.int64]


class BadSignatures(ValueError):
    """Arrays that are no signatures."""


@dataclass(frozen=True)
class Signatures:
    """Frame hashes of n clips, one clip after the other.

    Attributes:
        starts: int64 [n + 1]; the hashes of clip i are those from starts[i] up to starts[i + 1].
        words: uint64 [total, 4], the 32 bytes of a hash as little-endian words.
        quality: uint8 [total], 0 to 100.
        clips: int64 [n], a number that names a clip for good, different for each; which clips stand for a hot bucket
            hangs on it. Left out: the clips' places, 0 to n - 1.

    Raises:
        BadSignatures: the arrays do not fit each other, or two clips have one number.
    """

    starts: NDArray[np.int64]
    words: NDArray[np.uint64]
    quality: NDArray[np.uint8]
    clips: Clips = field(default_factory=lambda: np.empty(0, np.int64))

    def __post_init__(self) -> None:
        if not len(self.clips):
            object.__setattr__(self, "clips", np.arange(len(self.starts) - 1, dtype=np.int64))
        total = len(self.quality)
        if self.words.shape != (total, HASH_WORDS) or self.words.dtype != np.uint64:
            raise BadSignatures(f"words are {self.words.dtype} {self.words.shape}; allowed: uint64 [{total}, 4]")
        starts = self.starts
        if len(starts) < 1 or starts[0] != 0 or starts[-1] != total or (np.diff(starts) < 0).any():
            raise BadSignatures(f"starts do not rise from 0 to {total}; take them from the clips' lengths")
        if len(self.clips) != len(starts) - 1 or len(np.unique(self.clips)) != len(self.clips):
            raise BadSignatures(f"{len(self.clips)} clip numbers; allowed: {len(starts) - 1} different ones")

    def __len__(self) -> int:
        return len(self.clips)

    @property
    def lengths(self) -> Rows:
        """Hashes of each clip: int64 [n]."""
        return np.diff(self.starts)

    def rows_of(self, clips: Clips) -> Rows:
        """Return where clips stand: int64, as many.

        Raises:
            BadSignatures: one is not among these.
        """
        order = np.argsort(self.clips)
        ordered = self.clips[order]
        places = np.minimum(np.searchsorted(ordered, clips), max(0, len(order) - 1))
        if len(clips) and (not len(order) or (ordered[places] != clips).any()):
            raise BadSignatures("a candidate names a clip without a signature; give the signatures of both sides")
        return order[places] if len(order) else np.empty(0, dtype=np.int64)


def take_signatures(
    arrays: tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.uint8]], rows: Rows, clips: Clips
) -> Signatures:
    """Return the signatures of some rows.

    Args:
        arrays: `starts`, `words` and `quality` of all; may be memory maps, of which these rows alone are read.
        clips: numbers that the rows get.
    """
    starts, words, quality = arrays
    first = np.asarray(starts[rows])
    lengths = starts[rows + 1] - first
    own = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths)])
    places = np.arange(int(own[-1])) + np.repeat(first - own[:-1], lengths)
    return Signatures(own, np.asarray(words[places]), np.asarray(quality[places]), clips)


def pack_signatures(hashes: Sequence[bytes], quality: Sequence[bytes], clips: Clips | None = None) -> Signatures:
    """Return the signatures of clips as `FrameHashes` has them.

    Raises:
        BadSignatures: a clip has not 32 bytes of hash for each byte of quality.
    """
    lengths = np.array([len(own) for own in quality], dtype=np.int64)
    wrong = [place for place, own in enumerate(hashes) if len(own) != HASH_BYTES * lengths[place]]
    if len(hashes) != len(quality) or wrong:
        raise BadSignatures(f"clips {wrong[:5]} have not {HASH_BYTES} bytes of hash for each byte of quality")
    starts = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths)])
    words = np.frombuffer(b"".join(hashes), dtype="<u8").astype(np.uint64).reshape(-1, HASH_WORDS)
    told = np.frombuffer(b"".join(quality), dtype=np.uint8)
    return Signatures(starts, words, told, np.arange(len(lengths)) if clips is None else clips)
