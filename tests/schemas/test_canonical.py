from __future__ import annotations

import pytest

from schemas.canonical import canonical_json, digest_of


def test_key_order_does_not_matter() -> None:
    assert canonical_json({"b": 1, "a": "é"}) == canonical_json({"a": "é", "b": 1}) == '{"a":"é","b":1}\n'.encode()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": [float("-inf")]}])
def test_a_number_that_is_none_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(value)


def test_the_digest_is_pinned() -> None:
    assert digest_of({}) == "ca3d163bab055381827226140568f3bef7eaac187cebd76878e0b63e9e442356"
