"""Writing a hand-off: the whole folder appears at once, in place of an older hand-off and of nothing else."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path

from schemas.canonical import canonical_json, sha256_hex
from schemas.config_file import ConfigError

HANDOFF_JSON = "handoff.json"
HANDOFF_SCHEMA = "clipstrata.handoff/1"


def write_folder(
    folder: Path, files: Mapping[str, bytes], links: Mapping[str, str], facts: Mapping[str, object]
) -> None:
    """Write files and links beside the folder, then put them in its place.

    A hand-off that is killed leaves a hidden `.<name>-*.tmp` beside the folder, and the older hand-off or none.

    Args:
        links: path of each link -> what it leads to.
        facts: what `handoff.json` says beside the digests of the files.

    Raises:
        ConfigError: the folder is there and is no hand-off.
    """
    if folder.exists() and not (folder / HANDOFF_JSON).is_file() and (folder.is_file() or any(folder.iterdir())):
        raise ConfigError(
            f"--out {folder}: holds something that is no hand-off; allowed: a new or empty folder, or an older "
            "hand-off; give another --out"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    staged = folder.with_name(f".{folder.name}-{uuid.uuid4().hex}.tmp")
    try:
        for path, data in {**files, HANDOFF_JSON: _index(files, links, facts)}.items():
            _write(staged / path, data)
        for path, target in links.items():
            (staged / path).parent.mkdir(parents=True, exist_ok=True)
            os.symlink(target, staged / path)
        _put_in_place(staged, folder)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _index(files: Mapping[str, bytes], links: Mapping[str, str], facts: Mapping[str, object]) -> bytes:
    digests = {path: sha256_hex(data) for path, data in files.items()}
    document = {"schema_name": HANDOFF_SCHEMA, **facts, "files": digests, "links": dict(links)}
    return canonical_json(document, indent=2)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    if path.suffix == ".sh":
        path.chmod(0o755)


def _put_in_place(staged: Path, folder: Path) -> None:
    old = folder.with_name(f".{folder.name}-{uuid.uuid4().hex}.tmp")
    if folder.exists():
        os.replace(folder, old)
    os.replace(staged, folder)
    shutil.rmtree(old, ignore_errors=True)
