"""The one client of buckets (s3://, gs://), for lists of sources as for videos, by `fetch.buckets` of the corpus."""

from __future__ import annotations

from typing import Any

from schemas.fetching import FetchPolicy

BUCKET_SCHEMES = ("s3", "gs")


def bucket_file_system(scheme: str, policy: FetchPolicy, *, remembers: bool = True) -> Any:
    """Return the fsspec file system of a scheme; keys come from the machine, as the cloud's own tools find them.

    Args:
        scheme: one of BUCKET_SCHEMES.
        remembers: listings may be answered from memory; not where others write at the same time.

    Raises:
        ImportError: its library is not installed.
    """
    import fsspec

    buckets = policy.buckets
    if scheme == "gs":
        options = {"token": "anon"} if buckets.gs_anonymous else {}
        return fsspec.filesystem("gs", requester_pays=buckets.requester_pays, use_listings_cache=remembers, **options)
    return fsspec.filesystem(
        "s3",
        anon=buckets.s3_anonymous,
        profile=buckets.s3_profile,
        endpoint_url=buckets.s3_endpoint,
        requester_pays=buckets.requester_pays,
        use_listings_cache=remembers,
        config_kwargs={"connect_timeout": policy.connect_s, "read_timeout": policy.stall_s},
    )
