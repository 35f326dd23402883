"""What a stage checks of its job when the job is over."""

from __future__ import annotations

import pytest

from curation.row_spool import RowsLostError
from pipelines.ingest_stage import check_rows
from schemas.units import UnitCommit
from tests.builders import ingest_with_fakes, write_corpus

READ = {"stock": 8, "mined": 4, "silent": 1}


@pytest.fixture(scope="module")
def commits(tmp_path_factory: pytest.TempPathFactory) -> list[UnitCommit]:
    folder = tmp_path_factory.mktemp("rows")
    return ingest_with_fakes(write_corpus(folder / "in"), folder / "run")[2]


def test_units_that_hold_all_rows_pass_and_so_does_a_source_without_rows(commits: list[UnitCommit]) -> None:
    check_rows(READ, commits)
    check_rows({**READ, "empty": 0}, commits)


def test_a_lost_unit_and_one_that_stands_twice_are_told(commits: list[UnitCommit]) -> None:
    for wrong in (commits[1:], [*commits, commits[0]]):
        with pytest.raises(RowsLostError, match=f"source {commits[0].source}: "):
            check_rows(READ, wrong)


@pytest.mark.parametrize("read", [{**READ, "other": 2}, {"stock": 8, "mined": 4}])
def test_a_source_that_only_one_side_knows_is_told(read: dict[str, int], commits: list[UnitCommit]) -> None:
    with pytest.raises(RowsLostError, match=r"rows were read, and its units hold"):
        check_rows(read, commits)
