"""A feed made by hand: small, hostile or large."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dashboard.feed import Feed
from schemas.arrow import JOINT, REJECT_EXAMPLES, YIELDS, parquet_bytes
from schemas.examples import Example, ExampleText, GroupMember, Joined, SampleGroup
from schemas.manifest import ShardFacts

HOSTILE = "=cmd|x</script><script>alert(1)</script>\"'"


def example(source: str, number: int, *, place: str = "bin", text: str = "a red circle") -> Example:
    """Return an example whose score is a function of its number."""
    score = 2_000 + (number * 37) % 1_000
    return Example(
        source=source,
        place=place,
        bin=score // 100 if place == "bin" else None,
        sample_id=f"{number:026d}".translate(str.maketrans("0123456789", "abcdefghij")),
        media_sha256=f"{number:064x}",
        duration_us=2_000_000,
        tier="noisy_high",
        score_1e4=score,
        rule=None,
        duplicate_group=None,
        keeper="a" * 26,
        texts=(
            ExampleText(kind="alt", text=text, score_1e4=score, chosen=True),
            ExampleText(kind="alt", text="another", score_1e4=None, chosen=False),
        ),
    )


# One grey pixel.
PICTURE = (
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABALDA4MChAODQ4SERATGCgaGBYWGDEjJR0oOjM9PDkzODdASFxOQERXRTc4UG1RV19iZ2hnPk1xeXBk"
    "eFxlZ2P/wAALCAABAAEBAREA/8QAHwAAAQUBAQEBAQEAAAAAAAAAAAECAwQFBgcICQoL/8QAtRAAAgEDAwIEAwUFBAQAAAF9AQIDAAQRBRIhMUEG"
    "E1FhByJxFDKBkaEII0KxwRVS0fAkM2JyggkKFhcYGRolJicoKSo0NTY3ODk6Q0RFRkdISUpTVFVWV1hZWmNkZWZnaGlqc3R1dnd4eXqDhIWGh4iJ"
    "ipKTlJWWl5iZmqKjpKWmp6ipqrKztLW2t7i5usLDxMXGx8jJytLT1NXW19jZ2uHi4+Tl5ufo6erx8vP09fb3+Pn6/9oACAEBAAA/APQK/9k="
)


def member(place: int, source: str, *, text: str, keeper: int = 0, joined: Joined | None = None) -> GroupMember:
    """Return a member of a group that is kept, or left out, or only named."""
    names = [letter * 26 for letter in "abcdef"]
    return GroupMember(
        source=source,
        sample_id=names[place],
        media_sha256=f"{place:064x}",
        duration_us=2_000_000,
        tier="noisy_high",
        score_1e4=2_500,
        rule=None,
        keeper=names[keeper],
        sharded=keeper == place,
        joined=joined,
        picture=PICTURE,
        texts=(ExampleText(kind="alt", text=text, score_1e4=2_500, chosen=True),),
    )


def groups(text: str) -> list[SampleGroup]:
    """Return a group of duplicates, of three samples of which two are shown, and one of clips that mean the same."""
    exact = Joined(kind="exact", similarity_1e4=10_000, neighbour="a" * 26)
    apart = Joined(kind="semantic", similarity_1e4=9_731, neighbour="z" * 26)
    kept = member(0, "stock", text=text)
    return [
        SampleGroup(
            kind="duplicate",
            group="g1",
            size=3,
            sources=(("web_alt", 2), ("stock", 1)),
            members=(kept, member(1, "web_alt", text=text, joined=exact)),
        ),
        SampleGroup(
            kind="near",
            group="n1",
            size=2,
            sources=(("web_alt", 2),),
            members=(
                member(2, "web_alt", text=text, keeper=2),
                member(3, "web_alt", text=text, keeper=3, joined=apart),
            ),
        ),
    ]


def yields(names: Sequence[str], bins: Sequence[int | None]) -> bytes:
    """Return `yields.parquet` with the same ten clips in each bin of each source."""
    rows = [
        {
            "source": name,
            "bin": index,
            "low_1e4": None if index is None else -10_000 + 10 * index,
            "clips": 10,
            "duration_us": 20_000_000,
            "media_bytes": 1_000,
            "held_rule_clips": 1,
            "held_duplicate_clips": 2,
        }
        for name in names
        for index in bins
    ]
    return parquet_bytes(rows, YIELDS)


def feed(names: Sequence[str] = ("stock", "web_alt"), *, text: str = "a red circle", examples: int = 40) -> Feed:
    """Return a feed whose scores lie between 0.2 and 0.3."""
    joint = [
        {
            "source": name,
            "dimension": dimension,
            "value": value,
            "tier": "noisy_high",
            "bin_low_1e4": 2_000,
            "clips": 10,
            "clips_sharded": 9,
            "duration_us": 20_000_000,
            "media_bytes": 1_000,
        }
        for name in names
        for dimension, value in (("language", "en"), ("words", "5-10"), ("duration_s", "2-5"), ("flow", "none"))
    ]
    rejects = [
        {
            "source": names[0],
            "stage": stage,
            "scope": "record",
            "reason": reason,
            "order": "a",
            "record_id": "r",
            "sample_id": None,
            "detail": text,
            "input": "{}",
        }
        for stage, reason in (("read", "span_empty"), ("read", "duplicate_row"), ("media", "file_missing"))
    ]
    shard = ShardFacts(
        path="p",
        tier="clean",
        source=names[0],
        bucket=0,
        bytes=9,
        sha256="0",
        sidecar_sha256="0",
        samples=3,
        duration_us=6_000_000,
    )
    return Feed(
        yields=yields(names, [None, *range(1_200, 1_300)]),
        joint=parquet_bytes(joint, JOINT),
        reject_examples=parquet_bytes(rejects, REJECT_EXAMPLES),
        examples=[example(name, number, text=text) for name in names for number in range(examples)],
        groups=groups(text),
        shards=[shard, replace_bytes(shard, 21)],
        labels=[("stock", 2_500, 1, 1, 0, 0.1, 0.9)],
    )


def replace_bytes(shard: ShardFacts, size: int) -> ShardFacts:
    """Return a shard of another size."""
    return shard.model_copy(update={"bytes": size})


def with_examples(found: Feed, examples: Sequence[Example]) -> Feed:
    """Return a feed with other examples."""
    return replace(found, examples=examples)
