"""YAML files that people write, and JSON that commands left, read into frozen models.

Every refusal says what, the value, what is allowed and how to mend it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError


class ConfigError(ValueError):
    """The input or the configuration is wrong; the message is for the person who wrote it."""


class Strict(BaseModel):
    """A frozen model that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Model = TypeVar("Model", bound=BaseModel)
Document = TypeVar("Document", bound=BaseModel)


def load_yaml(path: Path, model: type[Model], *, what: str, guide: str) -> Model:
    """Read a YAML file into a model.

    Args:
        what: what the file is called in messages, such as `corpus file`.
        guide: the page of the docs that lists its keys.

    Raises:
        ConfigError: the file cannot be read, does not parse, or holds a key or value that is not allowed.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{what} {path}: cannot be read ({error}); give the path of a YAML file") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{what} {path}: not YAML: {error}") from error
    if not isinstance(document, dict):
        raise ConfigError(f"{what} {path}: holds {type(document).__name__}; allowed: keys as {guide} lists them")
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise ConfigError(f"{what} {path}:\n{_explain(error, guide)}") from error


def parse_document(data: bytes, model: type[Document], *, what: str, mend: str) -> Document:
    """Read JSON that a command wrote into its model.

    Args:
        what: where it lies.
        mend: what to do when it is damaged, such as `remove it, and train again`.

    Raises:
        ConfigError: it is not JSON, or not of this model.
    """
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        raise ConfigError(f"{what}: cannot be read; {mend}") from error


def _explain(error: ValidationError, guide: str) -> str:
    """Return one line per problem: where, the value, what is allowed, how to mend it."""
    lines = []
    for problem in error.errors():
        where = ".".join(str(part) for part in problem["loc"]) or "(whole file)"
        if problem["type"] == "extra_forbidden":
            lines.append(f"  {where}: unknown key; check the spelling against {guide}, or remove it")
        elif problem["type"] == "missing":
            lines.append(f"  {where}: missing; add it ({guide} shows each key)")
        else:
            value = problem["input"] if not isinstance(problem["input"], dict) else "(a mapping)"
            lines.append(f"  {where}: {problem['msg'].removeprefix('Value error, ')} (value: {value!r})")
    return "\n".join(lines)


def resolve_path(folder: Path, text: str) -> Path:
    """Return a path as a config file in `folder` means it: absolute, from the home folder, or relative to `folder`."""
    path = Path(text).expanduser()
    return path if path.is_absolute() else (folder / path).resolve()
