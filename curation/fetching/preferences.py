"""What a host says of the use of its files, read from headers, robots.txt and the TDM file; nothing is fetched here.

- `X-Robots-Tag`: words, each list of them possibly for one agent alone.
- TDM Reservation Protocol (W3C community group, final report of 2024-02): `tdm-reservation: 1`, or
  `/.well-known/tdmrep.json`, a list of {location, tdm-reservation, tdm-policy} of which the first that fits holds.
- AI preferences (draft-ietf-aipref-attach-04 of 2025-10): `Content-Usage: train-ai=n` as a header or, with a path in
  front, as a line of robots.txt; `Content-Signal: ai-train=no` is an older spelling of it that many hosts send.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

_PREFERENCE = re.compile(r"([a-z][a-z0-9_.*-]*)\s*=\s*\"?(\?0|\?1|[a-z0-9]+)\"?")
_USAGE_LINE = re.compile(r"(?i)(?:content-usage|content-signal)\s*:\s*(.*)")
_AGENT_LINE = re.compile(r"(?i)user-agent\s*:\s*(.*)")
_OTHER_LINE = re.compile(r"(?i)(?:allow|disallow|crawl-delay)\s*:")
REFUSALS = frozenset({"n", "no", "?0"})
# Directives of X-Robots-Tag that carry a value after a colon, which is not an agent's name before one.
VALUED_TAGS = frozenset({"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"})
MAX_TDM_RULES = 1000
MAX_USAGE_LINES = 1000


@dataclass(frozen=True, kw_only=True)
class UsageLine:
    """A line of robots.txt on the use of files: for which agents (lower case) and paths, and what is refused."""

    agents: tuple[str, ...]
    path: str
    refused: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class TdmRule:
    """A rule of the TDM file. `policy` is an address, as it stands there."""

    location: str
    reserved: bool
    policy: str = ""


def refused_tag(values: Iterable[str], agent: str, refused: Iterable[str]) -> str:
    """Return the first word of `X-Robots-Tag` headers that refuses an agent; empty where there is none."""
    unwanted = {word.lower() for word in refused}
    for value in values:
        speaking_to_us = True
        for part in value.lower().split(","):
            name, colon, rest = part.strip().partition(":")
            if colon and name.strip() not in VALUED_TAGS:
                speaking_to_us = name.strip() in (agent.lower(), "*")
                name = rest
            word = name.strip()
            if speaking_to_us and word in unwanted:
                return word
    return ""


def refused_usage(value: str, refused: Iterable[str]) -> str:
    """Return the first use that a `Content-Usage` value refuses out of `refused`; empty where it refuses none."""
    found = dict(_PREFERENCE.findall(value.lower()))
    return next((name for name in refused if found.get(name.lower()) in REFUSALS), "")


def reserved_by_header(value: str) -> bool:
    """Return whether `tdm-reservation` headers reserve the right of text and data mining."""
    return "1" in [part.strip() for part in value.split(",")]


def tdm_rules(document: bytes) -> tuple[TdmRule, ...]:
    """Return the rules of a TDM file; what is no rule is left out, and so is all of what is no JSON."""
    try:
        loaded = json.loads(document)
    except (ValueError, RecursionError):
        return ()
    entries = loaded if isinstance(loaded, list) else [loaded]
    return tuple(rule for rule in map(_tdm_rule, entries[:MAX_TDM_RULES]) if rule is not None)


def _tdm_rule(entry: Any) -> TdmRule | None:
    if not isinstance(entry, dict) or not isinstance(entry.get("location"), str):
        return None
    policy = entry.get("tdm-policy")
    reserved = str(entry.get("tdm-reservation")) == "1"
    return TdmRule(location=entry["location"], reserved=reserved, policy=policy if isinstance(policy, str) else "")


def tdm_rule_of(path: str, rules: Iterable[TdmRule]) -> TdmRule | None:
    """Return the first rule whose location fits a path (without its query); None where none does."""
    return next((rule for rule in rules if _fits(rule.location, path.partition("?")[0])), None)


def _fits(pattern: str, path: str) -> bool:
    """Whether a path fits a pattern: from its start, `*` for any characters, `$` for the end (RFC 9309, 2.2.3)."""
    ends = pattern.endswith("$")
    parts = pattern.removesuffix("$").split("*")
    at = len(parts[0])
    if not path.startswith(parts[0]):
        return False
    for part in parts[1:-1]:
        found = path.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    if len(parts) == 1:
        return not ends or at == len(path)
    last = parts[-1]
    return path.endswith(last) and len(path) - len(last) >= at if ends else path.find(last, at) >= 0


def usage_lines(robots: str) -> tuple[UsageLine, ...]:
    """Return the lines of a robots.txt on the use of files; those before any group are for all agents."""
    lines: list[UsageLine] = []
    agents: list[str] = ["*"]
    in_rules = True
    for raw in robots.splitlines():
        text = raw.partition("#")[0].strip()
        if found := _AGENT_LINE.fullmatch(text):
            agents = [found[1].strip().lower()] if in_rules else [*agents, found[1].strip().lower()]
            in_rules = False
        elif found := _USAGE_LINE.fullmatch(text):
            in_rules = True
            lines.append(_usage_line(found[1], tuple(agents)))
        elif _OTHER_LINE.match(text):
            in_rules = True
    return tuple(lines[:MAX_USAGE_LINES])


def _usage_line(value: str, agents: tuple[str, ...]) -> UsageLine:
    path, rest = "/", value
    if value.startswith("/"):
        path, _, rest = value.partition(" ")
    refused = tuple(name for name, answer in _PREFERENCE.findall(rest.lower()) if answer in REFUSALS)
    return UsageLine(agents=agents, path=path, refused=refused)


def usage_of(path: str, lines: Iterable[UsageLine], agent: str, refused: Iterable[str]) -> str:
    """Return the first use that a robots.txt refuses an agent for a path.

    The group that names the agent stands before that for all; in it the longest path that fits decides.
    """
    fitting = [line for line in lines if _fits(line.path, path)]
    own = [line for line in fitting if agent.lower() in line.agents]
    group = own or [line for line in fitting if "*" in line.agents]
    if not group:
        return ""
    longest = max(len(line.path) for line in group)
    deciding = [line for line in group if len(line.path) == longest]
    return next((name for name in refused if any(name in line.refused for line in deciding)), "")
