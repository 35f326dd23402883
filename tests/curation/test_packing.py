from __future__ import annotations

import hashlib
import io
import json

import numpy as np
import pytest

from curation.packing import PackedSample, pack_sample
from curation.unit_reading import WholeSample
from schemas.canonical import sha256_hex
from schemas.records import Selection

DIGEST = hashlib.sha256(b"clip bytes").hexdigest()


@pytest.mark.parametrize(("tier", "text"), [("noisy_high", "take the pan"), ("video_only", None)])
def test_the_facts_of_a_sample_say_what_was_chosen(tier: str, text: str | None) -> None:
    row = {"sample_id": "a" * 26, "rights": "{}", "media_sha256": DIGEST, "media_bytes": 10, "duration_us": 7}
    speech = {"text_id": "t" * 26, "kind": "asr", "text": "take the pan"}
    chosen = Selection(
        **{"sample_id": "a" * 26, "source": "web", "tier": tier, "text_id": "t" * 26, "score_1e4": 2_500},
        **{"offset_us": -5_000_000, "duplicate_group": None, "keeper": "a" * 26, "duplicate_kind": None},
        **{"similarity_1e4": None, "near_group": None, "text_copies": 1, "rule": None, "stage1_weight_1e4": 1},
        **{"stage2_weight_1e4": 2, "shape": "", "shard_bucket": 0, "media_sha256": DIGEST, "media_bytes": 10},
        duration_us=7,
    )
    vector = np.asarray([0.5, -1.0], dtype="<f2")
    packed = pack_sample(WholeSample(unit="u", row=row, texts=(speech,), embedding=vector.tobytes()), chosen)
    facts = json.loads(packed.facts)
    assert (facts["text_id"], facts["score_1e4"], facts["offset_us"]) == ("t" * 26, 2_500, -5_000_000)
    assert packed.text == text
    read = np.load(io.BytesIO(packed.embedding), allow_pickle=False)
    assert (read.dtype, read.tolist()) == (np.dtype("<f2"), [0.5, -1.0])


def test_sizes_and_digests_tell_of_every_member_and_of_those_that_are_not_there() -> None:
    sample = PackedSample(
        sample_id="a" * 26,
        facts=b"{}\n",
        text="dög",
        media_sha256=DIGEST,
        media_bytes=10,
        duration_us=1,
        weights_1e4={},
    )
    assert sample.sizes() == {"json": 3, "mp4": 10, "txt": 4, "npy": None}
    told = {"json": sha256_hex(b"{}\n"), "mp4": DIGEST, "txt": sha256_hex("dög".encode()), "npy": None}
    assert sample.digests() == told
