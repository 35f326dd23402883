"""The largest groups of a run: which, which of their members, and why they are in it."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import polars as pl
import pytest
from PIL import Image

from curation.run_groups import MOST_PICTURE_BYTES, SHOWN_GROUPS, SHOWN_MEMBERS, read_groups, shown_members
from curation.store import LocalStore
from pipelines.run_folder import Run, read_statistics
from schemas.examples import ExampleText, Joined
from tests.builders import FAKE_SCORER, built_with_fakes
from tests.dashboard.dashboard_sample import statistics


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return built_with_fakes(tmp_path_factory.mktemp("groups"))


def test_a_group_comes_with_its_members_their_texts_and_why_they_are_in_it(run: Run) -> None:
    (group,) = read_groups(run.store, read_statistics(run.root))
    kept, left_out = group.members
    assert (group.kind, group.size, group.sources) == ("duplicate", 2, (("mined", 1), ("stock", 1)))
    assert (kept.source, kept.keeper, kept.sharded, kept.joined) == ("stock", kept.sample_id, True, None)
    assert (left_out.source, left_out.keeper, left_out.sharded) == ("mined", kept.sample_id, False)
    assert left_out.joined == Joined(kind="exact", similarity_1e4=10_000, neighbour=kept.sample_id)
    assert left_out.texts == (
        ExampleText(kind="alt", text="shop now", score_1e4=6_964, chosen=True),
        ExampleText(kind="alt", text="red", score_1e4=246, chosen=False),
    )
    assert kept.texts[0].score_1e4 == kept.score_1e4 == 6_560
    with Image.open(io.BytesIO(base64.b64decode(kept.picture or ""))) as picture:
        assert (picture.format, picture.size) == ("JPEG", (216, 72))


@pytest.mark.parametrize("bytes_left", [None, b"", b"\xff\xd8 cut short"])
def test_without_score_frames_there_is_no_picture(tmp_path: Path, bytes_left: bytes | None) -> None:
    run = built_with_fakes(tmp_path)
    for path in (run.root / "frames").rglob("*.jpg"):
        path.unlink()
        if bytes_left is not None:
            path.write_bytes(bytes_left)
    (group,) = read_groups(run.store, read_statistics(run.root))
    assert [member.picture for member in group.members] == [None, None]


def made_run(root: Path, sizes: dict[str, int], column: str = "duplicate_group") -> LocalStore:
    """Write what is read of a run whose groups have these sizes; each group is kept by its first sample."""
    names = [(group, f"{group}-{place:04d}") for group, size in sizes.items() for place in range(size)]
    groups = [group for group, _ in names]
    samples = [sample for _, sample in names]
    keepers = [f"{group}-0000" for group in groups]
    exact = [None if sample == keeper else "exact" for sample, keeper in zip(samples, keepers, strict=True)]
    nothing = pl.Series([None] * len(names), dtype=pl.String)
    selection = pl.DataFrame(
        {
            "sample_id": samples,
            "source": "web",
            "tier": "noisy_high",
            "text_id": nothing,
            "score_1e4": 2_500,
            "duplicate_group": nothing,
            "near_group": nothing,
            "keeper": keepers,
            "duplicate_kind": exact,
            "similarity_1e4": [None if kind is None else 10_000 for kind in exact],
            "rule": nothing,
            "shard_bucket": [0 if kind is None else None for kind in exact],
            "media_sha256": samples,
            "duration_us": 1_000_000,
        }
    ).with_columns(pl.Series(column, groups, dtype=pl.String))
    clips = {"sample_id": samples, "source": "web", "clip_id": samples, "content_sha256": groups}
    texts = pl.DataFrame(schema=dict.fromkeys(("sample_id", "text_id", "kind", "text"), pl.String))
    scores = pl.DataFrame(
        schema={**dict.fromkeys(("sample_id", "text_id", "aggregation"), pl.String), "score_1e4": pl.Int32}
    )
    parts = {
        "selection/web-00000": selection,
        "samples/web-00000of00001-00000000": pl.DataFrame(clips),
        "texts/web-00000of00001-00000000": texts,
        f"scores/{FAKE_SCORER.scoring}/web-00000of00001-00000000": scores,
    }
    for path, frame in parts.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        frame.write_parquet(root / f"{path}.parquet")
    return LocalStore(root)


TOLD = statistics().model_copy(update={"scorer": FAKE_SCORER})


def test_the_largest_groups_come_first_and_are_few(tmp_path: Path) -> None:
    store = made_run(tmp_path, {"lone": 1, "huge": 500, **{f"g{place:02d}": 2 + place % 3 for place in range(30)}})
    found = read_groups(store, TOLD)
    fours = [f"g{place:02d}" for place in range(2, 30, 3)]
    assert [group.group for group in found] == ["huge", *fours, "g01"]
    assert len(found) == SHOWN_GROUPS
    assert (found[0].size, len(found[0].members)) == (500, SHOWN_MEMBERS)
    assert read_groups(store, TOLD) == found


def test_near_groups_stand_behind_duplicates(tmp_path: Path) -> None:
    found = read_groups(made_run(tmp_path, {"g": 3}, column="near_group"), TOLD)
    assert [(group.kind, group.group, group.size) for group in found] == [("near", "g", 3)]


def test_a_run_without_groups_has_none(tmp_path: Path) -> None:
    assert read_groups(made_run(tmp_path, {"a": 1, "b": 1}), TOLD) == []
    assert read_groups(LocalStore(tmp_path / "nothing"), TOLD) == []


def test_pictures_and_texts_of_all_groups_leave_room_in_a_page() -> None:
    # Base64 makes 4 of 3 bytes; a hostile character takes six bytes; a demo's page holds 1 MB beside them, of 5 MB.
    most = 2 * SHOWN_GROUPS * SHOWN_MEMBERS * (MOST_PICTURE_BYTES * 4 // 3 + 2 * 400 * 6 + 500)
    assert most < 4_000_000


def row(sample: str, keeper: str, kind: str | None = None) -> dict[str, object]:
    similarity = None if kind is None else 9_000
    return {"sample_id": sample, "keeper": keeper, "duplicate_kind": kind, "similarity_1e4": similarity, "node": sample}


CHAIN = {"a": [("b", "semantic", 9_800)], "b": [("a", "semantic", 9_800), ("c", "semantic", 9_700)], "c": []}
ORDERS: dict[str, tuple[list, dict, list[tuple[str, str | None, str | None]]]] = {
    "the keeper of most first": (
        [row("a", "a"), row("b", "b"), row("c", "b", "perceptual"), row("d", "b", "exact")],
        {"b": [("d", "exact", 10_000), ("c", "perceptual", 9_000)]},
        [("b", None, None), ("d", "exact", "b"), ("c", "perceptual", "b"), ("a", None, None)],
    ),
    "along the edges": (
        [row("a", "a"), row("b", "b"), row("c", "c")],
        {**CHAIN, "c": [("b", "semantic", 9_700)]},
        [("a", None, None), ("b", "semantic", "a"), ("c", "semantic", "b")],
    ),
    "only neighbours that are not shown": (
        [row("a", "a"), row("b", "b")],
        {"a": [], "b": []},
        [("a", None, None), ("b", None, None)],
    ),
    "the decision names the keeper, whoever is nearer": (
        [row("a", "a"), row("b", "z", "overlap")],
        {"b": [("a", "perceptual", 9_900)], "a": [("b", "perceptual", 9_900)]},
        [("a", None, None), ("b", "overlap", "z")],
    ),
}


@pytest.mark.parametrize("case", ORDERS)
def test_members_stand_beside_those_that_they_resemble(case: str) -> None:
    rows, links, expected = ORDERS[case]
    found = shown_members(rows, links)
    assert [(own["sample_id"], why and why.kind, why and why.neighbour) for own, why in found] == expected
