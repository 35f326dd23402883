"""All kinds of address behind one fetcher."""

from __future__ import annotations

import random
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from curation.bucket_client import BUCKET_SCHEMES, bucket_file_system
from curation.fetching.base import Fetched, Fetcher, FetchError
from curation.fetching.buckets import BucketFetcher, MakeFileSystem
from curation.fetching.cache import CachedFetcher, FetchCache
from curation.fetching.clock import Clock, SystemClock
from curation.fetching.exchange import Network
from curation.fetching.guard import Guard, Resolve, SystemResolver, public_only
from curation.fetching.hosts import Hosts
from curation.fetching.http_fetch import WebFetcher, WebTools
from curation.fetching.local import LocalFetcher
from curation.fetching.retrying import Retry
from curation.fetching.rights import RulesOfHosts
from curation.fetching.sites import CHILD_MODULE, SiteFetcher, child_command
from curation.fetching.tars import TarFetcher
from curation.fetching.web import WebClient
from curation.sources.locators import TAR_PREFIX
from schemas.fetching import FetchPolicy
from schemas.reasons import Reason


@dataclass(frozen=True, kw_only=True)
class World:
    """What fetching meets outside; each part can be a fake.

    Attributes:
        guard: which addresses may be connected to. `site_command`: what runs yt-dlp's child, with a guard of its own.
        chance: jitter of waits.
    """

    clock: Clock = field(default_factory=SystemClock)
    resolve: Resolve = field(default_factory=SystemResolver)
    guard: Guard = public_only
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    chance: random.Random = field(default_factory=random.Random)
    make_file_system: MakeFileSystem = bucket_file_system
    site_command: Sequence[str] = field(default_factory=child_command)


@dataclass(frozen=True, kw_only=True)
class Reach:
    """What the workers of a job may reach. It travels to them by name; each makes its own `World` of it.

    Attributes:
        guard: a function of a module: which addresses may be connected to.
        site_module: the module that runs as yt-dlp's child, with a guard of its own.
    """

    guard: Guard = public_only
    site_module: str = CHILD_MODULE

    def world(self) -> World:
        """Return a world with these limits, and everything else as it is."""
        return World(guard=self.guard, site_command=child_command(self.site_module))


class FetcherFamily:
    """Fetchers of one worker: they share the pace of hosts, what hosts allow, and the cache.

    Args:
        policy: of the corpus; agent, limits of hosts and waits hold for all its sources.
    """

    def __init__(self, policy: FetchPolicy, *, cache: FetchCache | None = None, world: World | None = None) -> None:
        self._world = world if world is not None else World()
        self._policy = policy
        self._cache = cache
        self._tools = _web_tools(policy, self._world)

    def fetcher(self, policy: FetchPolicy | None = None) -> Fetcher:
        """Return a fetcher for sources of one policy: the family's own, or one with other rights, limits or sites."""
        return _AnyFetcher(policy if policy is not None else self._policy, self._tools, self._world, self._cache)


def _web_tools(policy: FetchPolicy, world: World) -> WebTools:
    hosts = Hosts(policy.hosts, world.clock)
    retry = Retry(policy.retries, world.clock, world.chance)
    network = Network(
        resolve=world.resolve,
        guard=world.guard,
        connect_s=policy.connect_s,
        stall_s=policy.stall_s,
        tls=world.tls,
    )
    client = WebClient(network, hosts, world.clock, user_agent=policy.user_agent, max_redirects=policy.max_redirects)
    return WebTools(client=client, hosts=hosts, rules=RulesOfHosts(client, hosts, retry, policy.agent), retry=retry)


class _AnyFetcher:
    """Sends each address to the part that knows its kind."""

    def __init__(self, policy: FetchPolicy, tools: WebTools, world: World, cache: FetchCache | None) -> None:
        self._policy = policy
        self._cache = cache
        self._local = LocalFetcher()
        self._web = WebFetcher(tools, policy)
        self._sites = SiteFetcher(tools, policy, world.site_command)
        self._buckets = BucketFetcher(policy, tools.hosts, tools.retry, world.make_file_system)
        max_tar_bytes = policy.max_tar_mb * 1_000_000
        self._tar_files = _TarFiles(WebFetcher(tools, policy, max_bytes=max_tar_bytes), self._buckets, max_tar_bytes)
        self._tars = TarFetcher(self._tar, policy.max_bytes)

    def fetch(self, address: str, folder: Path) -> Fetched:
        """Return the file of an address: an absolute path, `tar:`, http(s)://, s3:// or gs://."""
        if address.startswith(TAR_PREFIX):
            return self._tars.fetch(address, folder)
        scheme = self._scheme(address)
        if scheme == "file":
            return self._local.fetch(address, folder)
        if scheme in BUCKET_SCHEMES:
            return self._once(self._buckets, address, folder)
        return self._once(self._sites if self._sites.serves(address) else self._web, address, folder)

    def _tar(self, address: str, folder: Path) -> Fetched:
        if self._scheme(address) == "file":
            return self._local.fetch(address, folder)
        return self._once(self._tar_files, address, folder)

    def _once(self, fetcher: Fetcher, address: str, folder: Path) -> Fetched:
        if self._cache is None:
            return fetcher.fetch(address, folder)
        return CachedFetcher(fetcher, self._cache).fetch(address, folder)

    def _scheme(self, address: str) -> str:
        local = address.startswith("/")
        scheme = "file" if local else address.partition("://")[0].lower()
        if scheme not in self._policy.schemes or (scheme == "file" and not local):
            allowed = ", ".join(self._policy.schemes)
            raise FetchError(Reason.ADDRESS_REFUSED, f"an address of kind {scheme!r:.40}; allowed: {allowed}")
        return scheme


class _TarFiles:
    """Fetches whole tars, which may be larger than videos."""

    def __init__(self, web: WebFetcher, buckets: BucketFetcher, max_bytes: int) -> None:
        self._web = web
        self._buckets = buckets
        self._max_bytes = max_bytes

    def fetch(self, address: str, folder: Path) -> Fetched:
        """Return the tar at an address."""
        if address.startswith(("s3://", "gs://")):
            return self._buckets.fetch(address, folder, self._max_bytes)
        return self._web.fetch(address, folder)
