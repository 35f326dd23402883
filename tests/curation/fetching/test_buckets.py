"""Objects of buckets, from a server that speaks S3; and from one in memory that misbehaves."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fsspec.asyn import AsyncFileSystem
from gcsfs.retry import HttpError

from curation.fetching import Fetched, FetchError
from curation.fetching.buckets import PIECE_BYTES
from schemas.reasons import Reason
from tests.bucket_servers import KEY, S3_KEYS, SECRET, environment, gs_server, s3_server
from tests.curation.fetching.worlds import fetch, policy, reason_of

LARGE = bytes(range(256)) * ((PIECE_BYTES * 2 + 4096) // 256)
OBJECTS = {"a/one.mp4": b"one", "a b?c#d.mp4": b"odd", "large.mp4": LARGE, "empty.mp4": b""}


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An S3 server with some objects, and the environment as a machine with keys has it."""
    objects = {f"videos/{key}": body for key, body in OBJECTS.items()}
    with s3_server(tmp_path_factory.mktemp("s3"), objects) as running, environment(**S3_KEYS):
        yield running


@pytest.fixture(scope="module")
def emulator() -> Iterator[None]:
    """A server of Google's kind with the same objects."""
    with gs_server("videos", {f"videos/{key}": body for key, body in OBJECTS.items()}):
        yield


CASES = {
    "an object": ("videos/a/one.mp4", b"one"),
    "an odd name": ("videos/a b?c#d.mp4", b"odd"),
    "several pieces": ("videos/large.mp4", LARGE),
    "no such object": ("videos/none.mp4", Reason.GONE),
    "no such bucket": ("nowhere/none.mp4", Reason.GONE),
    "a folder": ("videos/a", Reason.NOT_REGULAR_FILE),
    "an empty object": ("videos/empty.mp4", Reason.FILE_EMPTY),
    "no key": ("videos/", Reason.ADDRESS_REFUSED),
    "user info": ("me:pw@videos/a/one.mp4", Reason.ADDRESS_REFUSED),
}


@pytest.mark.parametrize("name", CASES)
def test_objects_of_an_s3_server(name: str, endpoint: str, tmp_path: Path) -> None:
    rest, expected = CASES[name]
    use = policy(max_mb=100, buckets={"s3_endpoint": endpoint})
    check_object(f"s3://{rest}", expected, fetch(f"s3://{rest}", tmp_path, use), tmp_path)


@pytest.mark.parametrize("name", CASES)
def test_objects_of_a_gs_server(name: str, emulator: None, tmp_path: Path) -> None:
    rest, expected = CASES[name]
    use = policy(max_mb=100, buckets={"gs_anonymous": True})
    check_object(f"gs://{rest}", expected, fetch(f"gs://{rest}", tmp_path, use), tmp_path)


def check_object(address: str, expected: bytes | Reason, found: Fetched | FetchError, folder: Path) -> None:
    if isinstance(expected, Reason):
        assert reason_of(found) == expected, found
        assert list(folder.iterdir()) == []
        return
    assert isinstance(found, Fetched), found
    assert found.path.read_bytes() == expected
    assert (found.bytes, found.sha256) == (len(expected), hashlib.sha256(expected).hexdigest())
    assert found.rights == {"fetched_from": address}


def test_a_wrong_secret_is_refused(endpoint: str, tmp_path: Path) -> None:
    with environment(AWS_SECRET_ACCESS_KEY="canary-wrong"):
        found = fetch("s3://videos/a/one.mp4", tmp_path, policy(buckets={"s3_endpoint": endpoint}))
    assert reason_of(found) == Reason.FORBIDDEN
    assert "canary" not in str(found)


def test_no_keys_are_sent_where_none_are_wanted(endpoint: str, tmp_path: Path) -> None:
    use = policy(buckets={"s3_endpoint": endpoint, "s3_anonymous": True})
    assert reason_of(fetch("s3://videos/a/one.mp4", tmp_path, use)) == Reason.FORBIDDEN


def test_the_keys_of_a_profile_are_used(endpoint: str, tmp_path: Path) -> None:
    keys = tmp_path / "credentials"
    keys.write_text(f"[films]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n")
    folder = tmp_path / "folder"
    folder.mkdir()
    use = policy(buckets={"s3_endpoint": endpoint, "s3_profile": "films"})
    # The default keys are wrong, so that nothing but the profile's can be right.
    with environment(AWS_SHARED_CREDENTIALS_FILE=str(keys), AWS_SECRET_ACCESS_KEY="wrong"):
        found = fetch("s3://videos/a/one.mp4", folder, use)
    assert isinstance(found, Fetched), found


def test_an_object_that_is_too_large_is_not_read(endpoint: str, tmp_path: Path) -> None:
    found = fetch("s3://videos/large.mp4", tmp_path, policy(max_mb=1, buckets={"s3_endpoint": endpoint}))
    assert reason_of(found) == Reason.FILE_TOO_LARGE


def test_a_scheme_that_the_policy_leaves_out_is_refused(tmp_path: Path) -> None:
    found = fetch("s3://videos/a/one.mp4", tmp_path, policy(schemes=("file", "https")))
    assert reason_of(found) == Reason.ADDRESS_REFUSED


class MemoryBucket(AsyncFileSystem):
    """One object in memory; `errors` are raised in turn before anything is answered."""

    cachable = False

    def __init__(self, body: bytes, **facts: Any) -> None:
        super().__init__()
        self.body = body
        self.facts = facts
        self.errors: list[Exception] = []
        self.looks: list[dict[str, Any]] = []
        self.reads = 0

    async def _info(self, path: str, **options: Any) -> dict[str, Any]:
        if self.errors:
            raise self.errors.pop(0)
        if self.looks:
            return self.looks.pop(0)
        return {"type": "file", "size": len(self.body), "name": path, **self.facts}

    async def _cat_file(self, path: str, start: int | None = None, end: int | None = None, **options: Any) -> bytes:
        self.reads += 1
        return self.body[start:end]


def from_memory(bucket: MemoryBucket, folder: Path) -> Fetched | FetchError:
    return fetch("gs://videos/one.mp4", folder, make_file_system=lambda scheme, use: bucket)


def test_an_object_that_changes_while_it_is_read_is_read_again(tmp_path: Path) -> None:
    bucket = MemoryBucket(b"new")
    bucket.looks = [{"type": "file", "size": 3, "etag": "old"}, {"type": "file", "size": 3, "etag": "new"}]
    found = from_memory(bucket, tmp_path)
    assert isinstance(found, Fetched), found
    assert bucket.reads == 2


MD5 = {"wrong": ("cgQfo+Hkk8gGYiC+YrAGLA==", Reason.WRONG_DIGEST), "right": ("kAFQmDzST7DWlj99KOF/cg==", None)}


@pytest.mark.parametrize("name", MD5)
def test_the_md5_that_the_cloud_keeps_is_compared(name: str, tmp_path: Path) -> None:
    md5, reason = MD5[name]
    # the MD5 of "abc" (RFC 1321, A.5)
    assert reason_of(from_memory(MemoryBucket(b"abc", md5Hash=md5), tmp_path)) == reason


ERRORS = {
    "no right": (PermissionError("canary-secret"), Reason.FORBIDDEN),
    "not there": (FileNotFoundError("canary-secret"), Reason.GONE),
    "slow down": (OSError(16, "canary-secret"), Reason.RATE_LIMITED),
    "a fault of the server": (OSError(121, "canary-secret"), Reason.SERVER_ERROR),
    "a broken connection": (ConnectionResetError("canary-secret"), Reason.CONNECTION_FAILED),
    "silence": (TimeoutError("canary-secret"), Reason.STALLED),
    "google's busy": (HttpError({"code": 429, "message": "canary-secret"}), Reason.RATE_LIMITED),
    "google's fault": (HttpError({"code": 503, "message": "canary-secret"}), Reason.SERVER_ERROR),
    "google's refusal": (HttpError({"code": 403, "message": "canary-secret"}), Reason.FORBIDDEN),
    "a full disk": (OSError(28, "No space left on device"), Reason.IO_ERROR),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_of_the_library_become_reasons_without_its_words(name: str, tmp_path: Path) -> None:
    error, reason = ERRORS[name]
    bucket = MemoryBucket(b"abc")
    bucket.errors = [error] * 4
    found = from_memory(bucket, tmp_path)
    assert reason_of(found) == reason
    assert "canary" not in str(found)
    assert list(tmp_path.iterdir()) == []


def test_a_passing_fault_is_tried_again(tmp_path: Path) -> None:
    bucket = MemoryBucket(b"abc")
    bucket.errors = [OSError(121, "x"), OSError(16, "x")]
    assert isinstance(from_memory(bucket, tmp_path), Fetched)
