"""The rooms and their arrows, read from the imports: curation has no Beam, training never meets Beam, and so on."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("schemas", "curation", "pipelines", "training", "dashboard", "beam_runner")

# room -> rooms that it may import
ARROWS = {
    "schemas": set(),
    "curation": {"schemas"},
    "pipelines": {"schemas", "curation", "dashboard"},
    "training": {"schemas", "curation"},
    "dashboard": {"schemas"},
    "beam_runner": {"schemas", "curation", "pipelines", "training", "dashboard"},
}
FORBIDDEN_LIBRARIES = {
    "schemas": {"apache_beam", "torch", "argparse", "numpy"},
    "curation": {"apache_beam", "argparse"},
    "training": {"apache_beam"},
    "dashboard": {"apache_beam", "torch", "argparse"},
    "pipelines": {"argparse"},
    "beam_runner": set(),
}


def imports_of(source: str) -> set[str]:
    """Return the top-level names that a module imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module.split(".")[0])
    return names


def wrong_arrows(room: str, source: str) -> set[str]:
    """Return the imports of a module that its room may not have."""
    found = imports_of(source)
    rooms = (found & set(ROOMS)) - ARROWS[room] - {room}
    return rooms | (found & FORBIDDEN_LIBRARIES[room])


def modules_of(room: str) -> list[Path]:
    return [ROOT / "beam_runner.py"] if room == "beam_runner" else sorted((ROOT / room).rglob("*.py"))


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_along_its_arrows(room: str) -> None:
    wrong = {str(path.relative_to(ROOT)): wrong_arrows(room, path.read_text()) for path in modules_of(room)}
    assert {path: names for path, names in wrong.items() if names} == {}
    assert wrong, "a room without modules proves nothing"


@pytest.mark.parametrize(
    ("room", "source", "expected"),
    [
        ("curation", "import apache_beam as beam", {"apache_beam"}),
        ("curation", "def f():\n    from apache_beam import Map", {"apache_beam"}),
        ("training", "from pipelines.ingest import run_ingest", {"pipelines"}),
        ("dashboard", "import curation.store", {"curation"}),
        ("schemas", "from schemas.ids import clip_id\nimport pyarrow", set()),
    ],
)
def test_a_planted_wrong_import_is_seen(room: str, source: str, expected: set[str]) -> None:
    assert wrong_arrows(room, source) == expected
