"""Report tables and labels as pandas frames, and frames as files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from dashboard.tables import Table
from schemas.config_file import ConfigError
from schemas.examples import Label

# Kind of a column -> type in a frame; what is not named is text. All of them hold a missing value.
TYPES = {
    **dict.fromkeys(("count", "bytes"), "Int64"),
    **dict.fromkeys(("decimal", "distance", "share", "score", "score2", "loss", "hours", "seconds"), "Float64"),
}
TEXT = "string"
# What a spreadsheet takes for a formula when a cell begins with it; assets/csv.js guards the page's files alike.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
FILE_TYPES = (".csv", ".parquet")


def table_frame(table: Table) -> pd.DataFrame:
    """Return a table of the report; its columns are named by their keys and hold whole numbers, fractions or text."""
    columns = [
        pd.Series([row[place] for row in table.rows], name=column.key, dtype=TYPES.get(column.kind, TEXT))
        for place, column in enumerate(table.columns)
    ]
    return pd.concat(columns, axis=1)


def label_frame(labels: Iterable[Label], current: Mapping[str, Label]) -> pd.DataFrame:
    """Return labels, a row each.

    Args:
        current: sample -> its label that counts, with the score that it has now.

    Columns: those of a label, `score_1e4` as it was when the label was given, and `now_1e4`: the score of the pair now,
    missing where the label does not count because another text or another scoring stands there now.
    """
    names = list(Label.model_fields)
    rows = [label.model_dump() | {"now_1e4": _score_now(label, current)} for label in labels]
    types = {name: "Int64" if name == "score_1e4" else TEXT for name in names} | {"now_1e4": "Int64"}
    return pd.DataFrame(rows, columns=list(types)).astype(types)


def _score_now(label: Label, current: Mapping[str, Label]) -> int | None:
    found = current.get(label.sample_id)
    same = found is not None and (found.text_id, found.scoring) == (label.text_id, label.scoring)
    return found.score_1e4 if found is not None and same else None


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame as `.csv` or `.parquet`; in CSV no text is a formula.

    Raises:
        ConfigError: the file has another ending.
    """
    if path.suffix not in FILE_TYPES:
        raise ConfigError(f"{path}: ends in {path.suffix!r}; allowed: {' or '.join(FILE_TYPES)}; rename it")
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        frame.to_parquet(path, index=False)
        return
    texts = {name for name, dtype in frame.dtypes.items() if dtype == TEXT}
    safe = frame.apply(lambda column: column.map(_harmless, na_action="ignore") if column.name in texts else column)
    # Lines end as RFC 4180 wants them: a lone carriage return inside a text is quoted only then.
    safe.to_csv(path, index=False, encoding="utf-8", lineterminator="\r\n")


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
