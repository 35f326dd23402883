"""Arrays as files of a run: the one place that knows how an array is written, and how rows of it are read."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curation.store import LocalStore, Store


def array_bytes(array: NDArray[Any]) -> bytes:
    """Return the .npy file of an array; equal arrays of one type give equal bytes."""
    file = io.BytesIO()
    np.save(file, np.ascontiguousarray(array), allow_pickle=False)
    return file.getvalue()


def open_array(store: Store, path: str) -> NDArray[Any]:
    """Return an array of a run; in a folder what is not asked for is not read, of a bucket all of it is."""
    found: NDArray[Any]
    if isinstance(store, LocalStore):
        found = np.load(store.root / path, mmap_mode="r", allow_pickle=False)
    else:
        found = np.load(io.BytesIO(store.read(path)), allow_pickle=False)
    return found


def narrowest(numbers: NDArray[np.integer[Any]]) -> NDArray[np.unsignedinteger[Any]]:
    """Return numbers that are not negative in the smallest unsigned type that holds all of them."""
    found: NDArray[np.unsignedinteger[Any]] = numbers.astype(np.min_scalar_type(int(numbers.max(initial=0))))
    return found
