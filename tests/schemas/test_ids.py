from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.ids import ID_PATTERN, bucket_of, clip_id, record_id, sample_id, stable_id, text_id

VIDEO = "0" * 64


def test_ids_are_pinned() -> None:
    # Ids are in every shard ever written: a change of these values is a break of the format.
    clip = clip_id(VIDEO, None, 3)
    sample = sample_id("stock", clip)
    assert (record_id("stock", b"{}"), clip, sample, text_id(sample, "caption", "a dog")) == (
        "72ucrcnprjtedrb4b7rqh7abxp",
        "kzsi7qtvmgcj6swraaywyecipu",
        "sdnw3mqrjzzuv4lr4atz6znnut",
        "sfumxao6uq4zrsn2jj6h67i5i4",
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("ab", "c"), ("a", "bc")),
        ((None,), ("",)),
        ((1,), ("1",)),
        ((b"a",), ("a",)),
        (("a",), ("a", None)),
        ((VIDEO, None, 5), (VIDEO, 0, 5)),
    ],
)
def test_different_fields_give_different_ids(one: tuple, other: tuple) -> None:
    assert stable_id(*one) != stable_id(*other)


@given(st.lists(st.one_of(st.none(), st.integers(), st.text(st.characters(codec="utf-8")))))
def test_an_id_fits_a_tar_key(fields: list) -> None:
    assert ID_PATTERN.fullmatch(stable_id(*fields))


@given(st.integers(), st.integers(0, 20))
def test_a_bucket_is_a_prefix_of_finer_buckets(value: int, bits: int) -> None:
    identity = stable_id(value)
    assert bucket_of(identity, bits) == bucket_of(identity, bits + 4) >> 4
    assert 0 <= bucket_of(identity, bits) < 2**bits


def test_too_many_bits_are_refused() -> None:
    with pytest.raises(ValueError, match="bits is 61; allowed 0 to 60"):
        bucket_of(stable_id(1), 61)
