"""Before any test module is loaded: what torch and gcsfs read once, when they are loaded."""

import os

from hypothesis import settings
from pytest import Item

from curation.threads import SPINS

assert SPINS
# gcsfs asks of each bucket over gRPC whether it is a zonal one; the emulator does not know gRPC, and it waits a minute.
os.environ["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] = "false"
# A busy machine may take any time over an example; pytest's own timeout bounds a test.
settings.register_profile("clipstrata", deadline=None)
settings.load_profile("clipstrata")


def pytest_collection_modifyitems(items: list[Item]) -> None:
    """Begin with the modules that hold slow tests: where several run at a time, none is left alone at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
