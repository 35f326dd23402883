"""Fetching: an address to a local file."""

from curation.fetching.base import Fetched, Fetcher, FetchError

__all__ = ["FetchError", "Fetched", "Fetcher"]
