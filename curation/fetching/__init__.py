"""Fetching: an address to a local file. See docs/fetching.md."""

from curation.fetching.base import Fetched, Fetcher, FetchError, HostBrokenError
from curation.fetching.cache import FetchCache
from curation.fetching.fetcher import FetcherFamily, Reach, World

__all__ = ["FetchCache", "FetchError", "Fetched", "Fetcher", "FetcherFamily", "HostBrokenError", "Reach", "World"]
