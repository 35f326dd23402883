"""Whether a host lets its files be used: asked of the host once, then of each address, before any body is fetched."""

from __future__ import annotations

import threading
import zlib
from collections import OrderedDict
from dataclasses import dataclass, field
from http.client import HTTPMessage

from protego import Protego

from curation.fetching.base import FetchError
from curation.fetching.body import GZIP_OR_ZLIB
from curation.fetching.clock import Deadline
from curation.fetching.guard import Target
from curation.fetching.hosts import Hosts
from curation.fetching.preferences import (
    TdmRule,
    UsageLine,
    refused_tag,
    refused_usage,
    reserved_by_header,
    tdm_rule_of,
    tdm_rules,
    usage_lines,
    usage_of,
)
from curation.fetching.retrying import Retry
from curation.fetching.web import WebClient
from curation.sources.locators import without_secrets
from schemas.fetching import RightsPolicy
from schemas.reasons import RETRYABLE, Reason

ROBOTS_PATH = "/robots.txt"
TDM_PATH = "/.well-known/tdmrep.json"
# RFC 9309, 2.5: at least 500 KiB are to be read, and 2.4: kept for no more than a day.
MAX_RULES_BYTES = 500 << 10
KEPT_S = 86_400.0
# A host that is down is asked again sooner.
UNKNOWN_KEPT_S = 300.0
ORIGINS_KEPT = 5_000
MAX_FACT_CHARS = 300
RECORDED_HEADERS = ("x-robots-tag", "tdm-reservation", "tdm-policy", "content-usage", "content-signal")


@dataclass(frozen=True, kw_only=True)
class _Rules:
    """What an origin's robots.txt or TDM file came to.

    Attributes:
        problem: why nothing is known; empty where something is.
        robots: None where there is no file.
    """

    until_s: float
    problem: str = ""
    robots: Protego | None = None
    usages: tuple[UsageLine, ...] = ()
    tdm: tuple[TdmRule, ...] = ()


@dataclass
class _Origin:
    lock: threading.Lock = field(default_factory=threading.Lock)
    rules: dict[str, _Rules] = field(default_factory=dict)


class RulesOfHosts:
    """robots.txt and TDM files, each read once a day; one for all threads and sources of a worker."""

    def __init__(self, client: WebClient, hosts: Hosts, retry: Retry, agent: str) -> None:
        self._client = client
        self._hosts = hosts
        self._retry = retry
        self._clock = retry.clock
        self.agent = agent
        self._lock = threading.Lock()
        self._origins: OrderedDict[str, _Origin] = OrderedDict()

    def check(self, target: Target, policy: RightsPolicy, deadline: Deadline) -> dict[str, str]:
        """Return what the host says of an address, by name.

        Raises:
            FetchError: `robots`, `opted_out`, or `robots_unknown` where the host cannot say.
        """
        facts = _switched_off(policy)
        if policy.robots or policy.aipref:
            facts |= self._check_robots(target, policy, self._rules(target, ROBOTS_PATH, deadline))
        if policy.tdm_reservation:
            facts |= _check_tdm(target, self._rules(target, TDM_PATH, deadline))
        return facts

    def _check_robots(self, target: Target, policy: RightsPolicy, rules: _Rules) -> dict[str, str]:
        if rules.problem:
            raise FetchError(Reason.ROBOTS_UNKNOWN, f"{target.origin}{ROBOTS_PATH}: {rules.problem}")
        if rules.robots is None:
            return {"robots": "none"}
        if policy.robots and not rules.robots.can_fetch(target.origin + target.path, self.agent):
            raise FetchError(Reason.ROBOTS, f"{target.origin}{ROBOTS_PATH} forbids {self.agent} this path")
        usage = usage_of(target.path, rules.usages, self.agent, policy.refused_usages) if policy.aipref else ""
        if usage:
            raise FetchError(Reason.OPTED_OUT, f"{target.origin}{ROBOTS_PATH}: Content-Usage refuses {usage}")
        return {"robots": "allowed" if policy.robots else "not heeded"}

    def _rules(self, target: Target, path: str, deadline: Deadline) -> _Rules:
        """Return the rules of an origin; while one thread reads them, others wait."""
        with self._lock:
            origin = self._origins.setdefault(target.origin, _Origin())
            self._origins.move_to_end(target.origin)
            while len(self._origins) > ORIGINS_KEPT:
                self._origins.popitem(last=False)
        with origin.lock:
            known = origin.rules.get(path)
            if known is None or self._clock.now_s() >= known.until_s:
                known = origin.rules[path] = self._read(target, path, deadline)
            return known

    def _read(self, target: Target, path: str, deadline: Deadline) -> _Rules:
        now_s = self._clock.now_s()
        try:
            document = self._retry.run(lambda: self._document(target.origin + path, deadline), deadline)
        except FetchError as error:
            # An address that may not be asked for its rules may not be asked for anything.
            if error.reason in (Reason.DEADLINE, Reason.ADDRESS_REFUSED):
                raise
            if error.reason in RETRYABLE or error.reason == Reason.REDIRECT_LOOP:
                return _Rules(until_s=now_s + UNKNOWN_KEPT_S, problem=error.detail)
            # RFC 9309, 2.3.1.3: a file that the host does not give out forbids nothing.
            return _Rules(until_s=now_s + KEPT_S)
        if path == TDM_PATH:
            return _Rules(until_s=now_s + KEPT_S, tdm=tdm_rules(document))
        text = document.decode("utf-8-sig", "replace")
        robots = Protego.parse(text)
        delay_s = robots.crawl_delay(self.agent)
        if delay_s:
            self._hosts.slow_down(target.host, delay_s)
        return _Rules(until_s=now_s + KEPT_S, robots=robots, usages=usage_lines(text))

    def _document(self, url: str, deadline: Deadline) -> bytes:
        with self._client.open(url, deadline) as exchange:
            self._client.check_status(exchange)
            body = bytearray()
            while len(body) < MAX_RULES_BYTES:
                data = exchange.read(MAX_RULES_BYTES - len(body))
                if not data:
                    break
                body += data
            if len(body) < min(exchange.declared_bytes or 0, MAX_RULES_BYTES):
                raise FetchError(Reason.WRONG_LENGTH, "the answer broke off")
            return _unpacked(bytes(body), exchange.header("content-encoding").strip().lower())


def _unpacked(body: bytes, encoding: str) -> bytes:
    """Return the start of a file of rules, if need be out of an encoding that was not asked for."""
    if encoding in ("", "identity"):
        return body
    try:
        return zlib.decompressobj(GZIP_OR_ZLIB).decompress(body, MAX_RULES_BYTES)
    except zlib.error:
        raise FetchError(Reason.SERVER_ERROR, f"in an encoding that was not asked for ({encoding:.40})") from None


def _check_tdm(target: Target, rules: _Rules) -> dict[str, str]:
    if rules.problem:
        raise FetchError(Reason.ROBOTS_UNKNOWN, f"{target.origin}{TDM_PATH}: {rules.problem}")
    rule = tdm_rule_of(target.path, rules.tdm)
    if rule is None:
        return {"tdm": "none"}
    if rule.reserved:
        raise FetchError(Reason.OPTED_OUT, f"{target.origin}{TDM_PATH} reserves text and data mining")
    return {"tdm": "not reserved"}


def check_headers(headers: HTTPMessage, policy: RightsPolicy, agent: str, shown: str) -> dict[str, str]:
    """Return what an answer's headers say of its use, by name.

    Raises:
        FetchError: `opted_out`.
    """
    tags = [str(value) for value in headers.get_all("x-robots-tag") or ()]
    if policy.x_robots_tag and (word := refused_tag(tags, agent, policy.refused_tags)):
        raise FetchError(Reason.OPTED_OUT, f"{shown}: X-Robots-Tag says {word}")
    if policy.tdm_reservation and reserved_by_header(_joined(headers, "tdm-reservation")):
        raise FetchError(Reason.OPTED_OUT, f"{shown}: tdm-reservation is 1")
    usages = f"{_joined(headers, 'content-usage')}, {_joined(headers, 'content-signal')}"
    if policy.aipref and (word := refused_usage(usages, policy.refused_usages)):
        raise FetchError(Reason.OPTED_OUT, f"{shown}: Content-Usage refuses {word}")
    facts = {name: _fact(_joined(headers, name)) for name in RECORDED_HEADERS if headers.get(name)}
    if licence := _licence(_joined(headers, "link")):
        facts["licence_link"] = _fact(licence)
    return facts


def _joined(headers: HTTPMessage, name: str) -> str:
    return ", ".join(str(value) for value in headers.get_all(name) or ())


def _licence(link: str) -> str:
    """Return the address of a `Link: <...>; rel="license"` header (RFC 8288 and RFC 4946)."""
    for part in link.split(","):
        address, _, parameters = part.strip().partition(">")
        if "rel" in parameters and "license" in parameters.lower() and address.startswith("<"):
            return address[1:]
    return ""


def _fact(text: str) -> str:
    shown = "".join(sign if sign.isprintable() else " " for sign in text)
    return without_secrets(shown)[:MAX_FACT_CHARS]


def _switched_off(policy: RightsPolicy) -> dict[str, str]:
    off = [name for name in ("robots", "x_robots_tag", "tdm_reservation", "aipref") if not getattr(policy, name)]
    return {"not_heeded": ", ".join(off), "not_heeded_because": policy.because} if off else {}
