"""Which store an address names: a folder of this machine, or one of a bucket."""

from __future__ import annotations

from curation.bucket_client import BUCKET_SCHEMES, bucket_file_system
from curation.bucket_folder import BucketFolder, BucketRefused
from curation.bucket_store import BucketStore
from curation.store import LocalStore, Store
from schemas.config_file import ConfigError
from schemas.fetching import FetchPolicy
from schemas.run import RunAddress


def bucket_words(error: BucketRefused) -> str:
    """Return what to say of a bucket that refuses or does not answer; no key is in it."""
    return (
        f"the bucket refuses or does not answer: {error}; allowed: a bucket that this machine's keys may read and "
        "write; set keys and endpoint as the cloud's own tools find them (docs/buckets.md) and run it again: it goes on"
    )


def is_bucket(address: RunAddress) -> bool:
    """Return whether a run lies in a bucket, and not in a folder of this machine."""
    return "://" in str(address)


def open_store(address: RunAddress) -> Store:
    """Return the store of a run.

    Keys and the endpoint of a bucket are those of the machine, as the cloud's own tools find them
    (`AWS_ENDPOINT_URL_S3`, `AWS_PROFILE`, `GOOGLE_APPLICATION_CREDENTIALS`, ...): an engine shows its options to
    everybody, so none are handed on.

    Args:
        address: a folder, or s3://BUCKET/FOLDER or gs://BUCKET/FOLDER.

    Raises:
        ConfigError: it is an address of something else.
    """
    if not is_bucket(address):
        return LocalStore(address)
    told = str(address)
    scheme, _, place = told.partition("://")
    if scheme not in BUCKET_SCHEMES or not place.strip("/"):
        allowed = ", ".join(f"{name}://BUCKET/FOLDER" for name in BUCKET_SCHEMES)
        raise ConfigError(f"run folder {told}: allowed: a folder, {allowed}; give another one")
    return BucketStore(BucketFolder(told, bucket_file_system(scheme, FetchPolicy(), remembers=False)))
