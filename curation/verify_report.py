"""What verifying finds: what was looked at, what is wrong, and what nobody owns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from curation.store import Store

Model = TypeVar("Model", bound=BaseModel)


@dataclass
class VerifyReport:
    """What was found.

    Attributes:
        checked: what was looked at -> how many.
        problems: one line per thing that is not as the manifest says; empty means all is well.
        leftovers: files that no manifest, unit or sample owns; `--clean` removes them.
    """

    checked: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)

    def count(self, what: str, number: int = 1) -> None:
        """Count something that was looked at."""
        self.checked[what] = self.checked.get(what, 0) + number

    def parsed(self, store: Store, path: str, model: type[Model]) -> Model | None:
        """Return a document of the run; one that cannot be read is a problem and None."""
        try:
            return model.model_validate_json(store.read(path))
        except (ValidationError, OSError) as error:
            self.problems.append(f"{path}: cannot be read ({type(error).__name__}); build again, or restore it")
            return None

    def check_file(self, store: Store, path: str, size: int, sha256: str) -> bool:
        """Return whether a file is there with its size and digest; one that is not is a problem."""
        self.count("files")
        if not store.exists(path):
            self.problems.append(f"{path}: missing")
            return False
        if store.size(path) != size:
            self.problems.append(f"{path}: {store.size(path)} bytes; written were {size}")
            return False
        found = store.sha256(path)
        if found != sha256:
            self.problems.append(f"{path}: its bytes changed (digest {found[:12]}, written {sha256[:12]})")
            return False
        return True
