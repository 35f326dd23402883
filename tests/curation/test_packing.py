from __future__ import annotations

import hashlib
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from curation.packing import (
    MediaDamaged,
    PackedSample,
    pack_sample,
    write_tar,
)
from curation.store import LocalStore
from curation.unit_reading import WholeSample
from schemas.records import Selection
from schemas.run import media_path

MEDIA = b"clip bytes"
DIGEST = hashlib.sha256(MEDIA).hexdigest()


def sample(name: str, text: str | None = "a dog") -> PackedSample:
    return PackedSample(
        sample_id=name * 26,
        facts=b"{}\n",
        text=text,
        media_sha256=DIGEST,
        media_bytes=len(MEDIA),
        duration_us=1_000_000,
    )


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    found = LocalStore(tmp_path / "run")
    found.write(media_path(DIGEST), MEDIA)
    return found


def test_members_are_sorted_and_carry_no_clock_or_user(store: LocalStore, tmp_path: Path) -> None:
    facts = write_tar([sample("b", None), sample("a")], store, tmp_path / "a.tar")
    with tarfile.open(tmp_path / "a.tar") as tar:
        members = tar.getmembers()
    names = [f"{'a' * 26}.json", f"{'a' * 26}.mp4", f"{'a' * 26}.txt", f"{'b' * 26}.json", f"{'b' * 26}.mp4"]
    assert [member.name for member in members] == names
    assert {(member.mtime, member.uid, member.gid, member.uname, member.mode) for member in members} == {
        (0, 0, 0, "", 0o444)
    }
    assert (facts.samples, facts.duration_us, facts.bytes) == (2, 2_000_000, (tmp_path / "a.tar").stat().st_size)
    assert facts.sha256 == hashlib.sha256((tmp_path / "a.tar").read_bytes()).hexdigest()


def test_the_order_of_arrival_leaves_no_trace(store: LocalStore, tmp_path: Path) -> None:
    one = write_tar([sample("a"), sample("b")], store, tmp_path / "a.tar")
    other = write_tar([sample("b"), sample("a")], store, tmp_path / "b.tar")
    assert one.sha256 == other.sha256


def test_two_samples_with_one_id_are_refused(store: LocalStore, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="two samples share the id"):
        write_tar([sample("a"), sample("a", "another")], store, tmp_path / "a.tar")


def test_a_changed_clip_never_reaches_a_shard(store: LocalStore, tmp_path: Path) -> None:
    store.write(media_path(DIGEST), b"clip bytez")
    with pytest.raises(MediaDamaged, match="delete it and run ingest again"):
        write_tar([sample("a")], store, tmp_path / "a.tar")


def test_facts_of_another_text_change_the_digest(store: LocalStore, tmp_path: Path) -> None:
    one = write_tar([sample("a")], store, tmp_path / "a.tar")
    other = write_tar([replace(sample("a"), text="a cat")], store, tmp_path / "b.tar")
    assert one.sha256 != other.sha256


@pytest.mark.parametrize(("tier", "text"), [("noisy_high", "take the pan"), ("video_only", None)])
def test_the_facts_of_a_sample_say_what_was_chosen(tier: str, text: str | None) -> None:
    row = {"sample_id": "a" * 26, "rights": "{}", "media_sha256": DIGEST, "media_bytes": 10, "duration_us": 7}
    speech = {"text_id": "t" * 26, "kind": "asr", "text": "take the pan"}
    chosen = Selection(
        **{"sample_id": "a" * 26, "source": "web", "tier": tier, "text_id": "t" * 26, "score_1e4": 2_500},
        **{"offset_us": -5_000_000, "duplicate_group": None, "keeper": "a" * 26, "duplicate_kind": None},
        **{"similarity_1e4": None, "near_group": None, "text_copies": 1, "rule": None, "stage1_weight_1e4": 1},
        **{"stage2_weight_1e4": 2, "shard_bucket": 0, "media_sha256": DIGEST, "media_bytes": 10, "duration_us": 7},
    )
    packed = pack_sample(WholeSample(unit="u", row=row, texts=(speech,)), chosen)
    facts = json.loads(packed.facts)
    assert (facts["text_id"], facts["score_1e4"], facts["offset_us"]) == ("t" * 26, 2_500, -5_000_000)
    assert packed.text == text
