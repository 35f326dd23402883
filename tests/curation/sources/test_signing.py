from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.sources.signing import SIGNINGS, unsigned_query

S3 = "X-Amz-Algorithm=A&X-Amz-Credential=C&X-Amz-Date=D&X-Amz-Expires=9&X-Amz-SignedHeaders=host&X-Amz-Signature=f00"
GOOGLE = "X-Goog-Algorithm=A&X-Goog-Credential=C&X-Goog-Date=D&X-Goog-Expires=9&X-Goog-SignedHeaders=h&X-Goog-Signature"
OSS = "x-oss-signature-version=V&x-oss-credential=C&x-oss-date=D&x-oss-expires=9&x-oss-signature=f00"
SAS = "sp=r&st=2026-01-01&se=2026-02-01&spr=https&sv=2024-11-04&sr=b&sig=f00"
# name -> (query, what is left of it)
CASES = {
    "nothing": ("", ""),
    "no signature": ("id=1&part=2", "id=1&part=2"),
    "S3": (S3, ""),
    "S3, with a session": (f"{S3}&X-Amz-Security-Token=t", ""),
    "S3, among others": (f"id=1&{S3}&part=2", "id=1&part=2"),
    "S3, in small letters": (S3.lower(), ""),
    "S3, what is no part of it": (f"{S3}&X-Amz-Meta-Take=2&x-id=GetObject", "X-Amz-Meta-Take=2&x-id=GetObject"),
    "S3, with one missing": (S3.replace("&X-Amz-Date=D", ""), S3.replace("&X-Amz-Date=D", "")),
    "S3 of old": ("AWSAccessKeyId=K&Expires=9&Signature=f00&versionId=3", "versionId=3"),
    "Google": (f"generation=7&{GOOGLE}", "generation=7"),
    "Google of old": ("GoogleAccessId=me&Expires=9&Signature=f00", ""),
    "CloudFront": ("Expires=9&Signature=f00&Key-Pair-Id=K", ""),
    "CloudFront with a policy": ("Policy=P&Signature=f00&Key-Pair-Id=K&q=1", "q=1"),
    "Azure, a blob": (f"snapshot=1&{SAS}", "snapshot=1"),
    "Azure, an account": ("sv=v&ss=b&srt=o&sp=r&se=e&sig=f00&comp=x", "comp=x"),
    "Azure, a stored policy": ("sv=v&sr=c&si=readers&sig=f00", ""),
    "Azure, for a person": (f"{SAS}&skoid=o&sktid=t&skt=a&ske=b&sks=b&skv=v", ""),
    "Aliyun": (f"{OSS}&x-oss-process=video/snapshot", "x-oss-process=video/snapshot"),
    "Aliyun of old": ("OSSAccessKeyId=K&Expires=9&Signature=f00", ""),
    "Akamai": ("hdnts=exp=9~acl=/*~hmac=f00&take=2", "take=2"),
    "a token that names the content": ("token=abc", "token=abc"),
    "a policy that is a document": ("policy=privacy", "policy=privacy"),
    "an episode that expires": ("expires=never&episode=3", "expires=never&episode=3"),
    "a signature dish": ("signature=carbonara", "signature=carbonara"),
    "a signature and its end alone": ("signature=f00&expires=9", "signature=f00&expires=9"),
    "short names of other things": ("sv=1&sr=2&se=3&sp=4", "sv=1&sr=2&se=3&sp=4"),
    "a lone part of S3's": ("X-Amz-Signature=f00", "X-Amz-Signature=f00"),
    "names without values": ("a&b&&c=", "a&b&&c="),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_left_of_a_query(case: str) -> None:
    query, expected = CASES[case]
    assert unsigned_query(query) == expected


@pytest.mark.parametrize("scheme", SIGNINGS, ids=lambda scheme: scheme.name)
def test_each_parameter_that_a_scheme_needs_is_needed(scheme) -> None:
    whole = [f"{name}=x" for name in sorted(scheme.needed)]
    assert unsigned_query("&".join(["id=1", *whole])) == "id=1"
    for place in range(len(whole)):
        part = "&".join(["id=1", *whole[:place], *whole[place + 1 :]])
        assert unsigned_query(part) == part


NAMES = sorted({name for scheme in SIGNINGS for name in scheme.needed | scheme.more} | {"id", "token"})


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.text("ab&", max_size=2))))
def test_what_is_left_is_left_again(fields: list[tuple[str, str]]) -> None:
    left = unsigned_query("&".join(f"{name}={value}" for name, value in fields))
    assert unsigned_query(left) == left
