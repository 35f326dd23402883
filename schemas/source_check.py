"""What a look at a file of metadata came to: the document that `clipstrata sources check --json` prints."""

from __future__ import annotations

import yaml
from pydantic import BaseModel, ConfigDict

CHECK_SCHEMA = "clipstrata.source_check/1"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FormatFacts(_Model):
    """One format that a source can have.

    Attributes:
        container: how its files hold rows, for example `csv`.
        text_kinds: kinds of text that it can hold.
        cites: where the format is shown: repository, commit and file.
        seen: whether a real file of it was read; None for clipstrata's own formats.
    """

    name: str
    title: str
    container: str
    text_kinds: tuple[str, ...]
    cites: str
    seen: bool | None


class ColumnMapping(_Model):
    """Which column was taken for what; the same words as `columns` of a source."""

    locator: str
    start: str | None = None
    end: str | None = None
    time_unit: str = "s"
    texts: dict[str, str] = {}

    def as_yaml(self) -> tuple[str, str]:
        """Return the two lines of a corpus file that say the same."""
        columns = yaml.safe_dump(
            self.model_dump(exclude_none=True), default_flow_style=True, width=10_000, sort_keys=False
        )
        kinds = yaml.safe_dump(list(self.texts), default_flow_style=True, width=10_000)
        return f"columns: {columns.strip()}", f"text_kinds: {kinds.strip()}"


class SeenRow(_Model):
    """One row as it was understood; `texts` are (kind, beginning of the text)."""

    locator: str
    start_us: int | None
    end_us: int | None
    texts: tuple[tuple[str, str], ...]


class Problem(_Model):
    """Rows that are rejects for one reason, with the first of them."""

    reason: str
    rows: int
    first: tuple[str, ...]


class SourceCheck(_Model):
    """A file or a pattern of files, read as one format.

    Attributes:
        rows: rows read: `records` and `rejects` add up to it.
        whole: records without a span, which mean the whole video.
        texts, dropped_texts: kind -> texts kept; `kind: reason` -> texts dropped.
        columns: as the first file has them; for JSON lines the keys of the first rows. Empty where there are none.
        mapping: for tables: what was taken for what, given or guessed.
        stopped: whether reading stopped at the number of rows asked for.
    """

    schema_name: str = CHECK_SCHEMA
    location: str
    format: str
    files: int
    rows: int
    records: int
    rejects: int
    whole: int
    texts: dict[str, int]
    dropped_texts: dict[str, int]
    columns: tuple[str, ...]
    mapping: ColumnMapping | None
    first: tuple[SeenRow, ...]
    problems: tuple[Problem, ...]
    stopped: bool
