"""What a fetcher is: an address in, a local file out, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from schemas.reasons import Reason

# What a fetched file is called in the folder that it was fetched into; its kind is told by its bytes.
FETCHED_NAME = "fetched"


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """A video's file on this machine.

    Attributes:
        path: the file; inside the folder that was given, unless it is used in place.
        sha256: of its bytes, where they were copied; None for a file that is used in place.
        bytes: its size.
        is_copy: whether the caller may remove it.
        rights: what the place that it came from said of its use, by name; no secrets.
    """

    path: Path
    bytes: int
    sha256: str | None = None
    is_copy: bool = False
    rights: Mapping[str, str] = field(default_factory=dict)


class FetchError(Exception):
    """There is no file; `detail` is for a person and holds no secret.

    Attributes:
        retry_after_s: how long the host asked to be left alone, where it did.
        attempts: tries that were made.
    """

    def __init__(self, reason: Reason, detail: str, *, retry_after_s: float | None = None, attempts: int = 1) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail
        self.retry_after_s = retry_after_s
        self.attempts = attempts

    def __str__(self) -> str:
        return f"{self.reason.value}: {self.detail}"


class HostBrokenError(RuntimeError):
    """A host that worked now fails for one cause: the job must stop, rather than reject what a later run would get."""


class Fetcher(Protocol):
    """Brings the bytes of an address to this machine; one may serve several threads."""

    def fetch(self, address: str, folder: Path) -> Fetched:
        """Return the file of an address, written into `folder` where it is not used in place.

        Raises:
            FetchError: there is none.
            HostBrokenError: its host stopped answering as it did.
        """
        ...
