"""Flags for Beam as they were given on a command line: which, and what they say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


class EngineOptionsError(ValueError):
    """A flag for Beam is not one of its options, or an engine cannot be used as it was asked for."""


@dataclass(frozen=True)
class GivenFlags:
    """Flags as `--name=value`."""

    flags: tuple[str, ...]

    def value(self, name: str, default: str = "") -> str:
        """Return the last value given for a flag."""
        values = [flag.partition("=")[2] for flag in self.flags if name_of(flag) == name]
        return values[-1] if values else default

    def has(self, name: str) -> bool:
        """Return whether a flag is given."""
        return any(name_of(flag) == name for flag in self.flags)

    def add(self, *flags: str) -> GivenFlags:
        """Return these flags and further ones."""
        return GivenFlags((*self.flags, *flags))

    def without(self, *names: str) -> tuple[str, ...]:
        """Return all flags but some."""
        return tuple(flag for flag in self.flags if name_of(flag) not in names)

    def missing(self, defaults: Mapping[str, str]) -> tuple[str, ...]:
        """Return those defaults whose flag is not given, as flags."""
        return tuple(f"--{name}={value}" for name, value in defaults.items() if not self.has(name))


def name_of(flag: str) -> str:
    """Return a flag's name as Beam's options spell it."""
    return flag.partition("=")[0].removeprefix("--").replace("-", "_")
