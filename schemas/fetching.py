"""How videos are fetched: limits, retries, per-host pace, whose wishes are honoured, buckets and sites."""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from schemas.config_file import Strict

Scheme = Literal["file", "http", "https", "s3", "gs"]
_AGENT = re.compile(r"[A-Za-z_-]{1,40}")
_HOST = re.compile(r"(?!-)[a-z0-9.-]{1,253}(?<!-)")
_EXTRACTOR = re.compile(r"[A-Za-z0-9_:-]{1,60}")


class RetryPolicy(Strict):
    """How often and how soon one fetch is tried again.

    Attributes:
        attempts: tries in all, the first included.
        first_wait_s: before the second try; doubled from try to try, each with full jitter on top of its half.
        max_wait_s: longest wait of its own accord; a server's `Retry-After` may ask for more, up to the deadline.
    """

    attempts: int = Field(default=4, ge=1, le=10)
    first_wait_s: float = Field(default=1.0, ge=0.0, le=60.0)
    max_wait_s: float = Field(default=60.0, ge=0.0, le=3600.0)


class HostLimits(Strict):
    """The pace that one host is asked at, counted in each worker process by itself.

    Attributes:
        at_once: open exchanges with one host.
        per_s: requests to one host in a second; a `Crawl-delay` of its robots.txt may slow it further.
        breaker_window: of so many last fetches from one host the share of each cause of failure is looked at.
        breaker_share: from this share of one cause on, a host that worked before stops the job, and one that never did
            is not asked again for `breaker_cool_s`.
    """

    at_once: int = Field(default=4, ge=1, le=256)
    per_s: float = Field(default=8.0, gt=0.0, le=1000.0)
    breaker_window: int = Field(default=20, ge=5, le=1000)
    breaker_share: float = Field(default=0.9, gt=0.5, le=1.0)
    breaker_cool_s: float = Field(default=300.0, gt=0.0, le=86_400.0)


class RightsPolicy(Strict):
    """Which wishes of a host are asked for and honoured before a body is fetched.

    Attributes:
        robots: robots.txt (RFC 9309).
        x_robots_tag: the answer's `X-Robots-Tag`, with the words of `refused_tags`.
        tdm_reservation: TDMRep, `/.well-known/tdmrep.json` and the answer's `tdm-reservation`.
        aipref: AI preferences in `Content-Usage`, of the answer and of robots.txt, with the words of `refused_usages`.
        because: by what right one of the four is switched off; needed as soon as one is, and recorded.
    """

    robots: bool = True
    x_robots_tag: bool = True
    tdm_reservation: bool = True
    aipref: bool = True
    refused_tags: tuple[str, ...] = ("none", "noai", "noimageai", "noml", "noindex", "noimageindex")
    refused_usages: tuple[str, ...] = ("train-ai", "ai-train", "genai", "train-genai", "ai", "tdm", "bots")
    because: str = ""

    @model_validator(mode="after")
    def _reasoned(self) -> RightsPolicy:
        off = [name for name in ("robots", "x_robots_tag", "tdm_reservation", "aipref") if not getattr(self, name)]
        if off and not self.because.strip():
            raise ValueError(f"{', '.join(off)} switched off; say in `because` by what right, or leave them on")
        return self


class SitePolicy(Strict):
    """Pages whose video is found by yt-dlp, for sites that the operator has rights to.

    Attributes:
        hosts: a page of these hosts or their sub-domains goes to yt-dlp; everything else is a plain download.
        extractors: yt-dlp's names of the extractors that may run; `generic` is not to be had.
        height_px: largest height of the format taken.
        audio: take a format with sound; without it, pictures alone, which most sites have in more sizes.
        max_duration_s: longer videos are refused before their download.
        max_bytes_per_s: pace of a download; None for as fast as it comes.
        cookies_file: Netscape cookie file of an account of the operator; read in the child only, never written.
    """

    hosts: tuple[str, ...] = ("youtube.com", "youtu.be")
    extractors: tuple[str, ...] = ("youtube",)
    height_px: int = Field(default=480, ge=144, le=4320)
    audio: bool = False
    max_duration_s: float = Field(default=7200.0, gt=0.0, le=86_400.0)
    max_bytes_per_s: int | None = Field(default=None, ge=1000)
    cookies_file: str | None = None

    @field_validator("hosts")
    @classmethod
    def _hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for host in hosts:
            if not _HOST.fullmatch(host):
                raise ValueError(f"host is {host!r}; allowed: a host's name in lower case, without scheme and port")
        return hosts

    @field_validator("extractors")
    @classmethod
    def _named(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not _EXTRACTOR.fullmatch(name) or name.lower() in ("generic", "all", "default", "end"):
                raise ValueError(f"extractor is {name!r}; allowed: the name of one extractor, and never generic")
        return names


class BucketPolicy(Strict):
    """How s3:// and gs:// are reached; keys come from the machine's own environment, never from here.

    Attributes:
        s3_endpoint: address of an S3-compatible server; None for the cloud's own.
        s3_profile: profile of the AWS settings of each machine whose keys are used; None for the default.
        s3_anonymous: unsigned requests, for public buckets. `gs_anonymous` is the same for gs.
        requester_pays: agree to pay for the transfer.
    """

    s3_endpoint: str | None = None
    s3_profile: str | None = Field(default=None, min_length=1)
    s3_anonymous: bool = False
    gs_anonymous: bool = False
    requester_pays: bool = False

    @model_validator(mode="after")
    def _one_identity(self) -> BucketPolicy:
        if self.s3_anonymous and self.s3_profile is not None:
            raise ValueError("s3_profile and s3_anonymous exclude each other: signed or unsigned; leave one out")
        return self

    @field_validator("s3_endpoint")
    @classmethod
    def _plain_endpoint(cls, endpoint: str | None) -> str | None:
        if endpoint is not None:
            parts = urlsplit(endpoint)
            if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
                raise ValueError("s3_endpoint must be http(s)://host[:port] without user info and query; take them out")
        return endpoint


class FetchPolicy(Strict):
    """How videos are brought to the machine.

    Attributes:
        agent: product name in the user agent and in robots.txt. `contact`: an address or page behind it, for those who
            run the hosts.
        schemes: kinds of address that are fetched; `file` is a local path.
        max_mb: largest file, also unpacked from a content encoding, in 10^6 bytes. `max_tar_mb`: largest tar at an
            address that a member is wanted of.
        kept_mb: what fetched files may take of a worker's disk while an ingest runs, so that a video which several
            sources name is fetched once; those used longest ago go first.
        deadline_s: for one item with all its tries, redirects and waits that servers ask for; waiting for a turn at
            the host does not count.
        connect_s: for a name look-up, and again for one connection.
        stall_s: no byte for so long, or fewer than `min_bytes_per_s` on average over it, ends a try.
    """

    agent: str = "clipstrata"
    contact: str = ""
    schemes: tuple[Scheme, ...] = ("file", "http", "https", "s3", "gs")
    max_mb: int = Field(default=2000, ge=1, le=1_000_000)
    max_tar_mb: int = Field(default=8000, ge=1, le=1_000_000)
    kept_mb: int = Field(default=10_000, ge=0, le=10_000_000)
    deadline_s: float = Field(default=900.0, gt=0.0, le=86_400.0)
    connect_s: float = Field(default=10.0, gt=0.0, le=300.0)
    stall_s: float = Field(default=30.0, gt=0.0, le=3600.0)
    min_bytes_per_s: int = Field(default=2000, ge=0, le=1_000_000_000)
    max_redirects: int = Field(default=5, ge=0, le=20)
    retries: RetryPolicy = RetryPolicy()
    hosts: HostLimits = HostLimits()
    rights: RightsPolicy = RightsPolicy()
    buckets: BucketPolicy = BucketPolicy()
    sites: SitePolicy = SitePolicy()

    @field_validator("agent")
    @classmethod
    def _product(cls, agent: str) -> str:
        if not _AGENT.fullmatch(agent):
            # RFC 9309, 2.2.1: the product token is made of these
            raise ValueError(f"agent is {agent!r}; allowed: 1 to 40 of a-z, A-Z, - and _, as robots.txt names agents")
        return agent

    @field_validator("contact")
    @classmethod
    def _one_line(cls, contact: str) -> str:
        if not contact.isascii() or not contact.isprintable() or set(contact) & set("()"):
            raise ValueError(f"contact is {contact!r}; allowed: an e-mail address or a page, ASCII, without brackets")
        return contact

    @property
    def user_agent(self) -> str:
        """What hosts see: the product and, where one is given, the contact."""
        return f"{self.agent}/1.0 (+{self.contact})" if self.contact else f"{self.agent}/1.0"

    @property
    def max_bytes(self) -> int:
        """The largest file in bytes."""
        return self.max_mb * 1_000_000
