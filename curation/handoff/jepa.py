"""For V-JEPA: lists of clips as `path label` lines, one per tier and source, and the part of its config with them.

`VideoDataset` of facebookresearch/vjepa2 reads such a file with `pandas.read_csv(..., header=None, delimiter=" ")` and
opens each path as it stands, relative to wherever it was started: so the paths are absolute, hold no space, and the
lists are of one machine. The label is the tier's place in the order of tiers; its pre-training ignores it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl
import yaml

from schemas.config_file import ConfigError
from schemas.planning import StageShares
from schemas.records import Tier
from schemas.run import media_path

JEPA_FOLDER = "vjepa"
LABELS: Mapping[str, int] = {tier.value: place for place, tier in enumerate(Tier)}


def list_name(tier: str, source: str) -> str:
    """Return where the list of one tier of one source lies in the hand-off."""
    return f"{JEPA_FOLDER}/{tier}-{source}.csv"


def path_lists(samples: pl.DataFrame, run: Path) -> dict[str, bytes]:
    """Return path -> bytes of the lists.

    Raises:
        ConfigError: the run's path holds white space, at which the reader would cut it.
    """
    if any(character.isspace() for character in str(run)):
        raise ConfigError(f"RUN is {run}: V-JEPA's lists cannot hold a path with white space; move the run")
    found = {}
    for (tier, source), own in samples.group_by("tier", "source", maintain_order=True):
        paths = (f"{run}/{media_path(digest)} {LABELS[str(tier)]}" for digest in own["media_sha256"])
        found[list_name(str(tier), str(source))] = ("\n".join(paths) + "\n").encode("utf-8")
    return found


def jepa_yaml(shares: StageShares, handoff: Path) -> bytes | None:
    """Return the `data:` part of a V-JEPA config: the lists that a stage draws from, and how much it draws of each."""
    if not shares.places:
        return None
    lists = [str(handoff / list_name(place.tier, place.source)) for place in shares.places]
    weights = [place.share for place in shares.places]
    document = {"data": {"dataset_type": "VideoDataset", "datasets": lists, "datasets_weights": weights}}
    return yaml.safe_dump(document, sort_keys=False).encode("utf-8")
