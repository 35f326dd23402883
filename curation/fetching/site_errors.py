"""What yt-dlp says when there is no video, as reasons; and its words without what must not be shown."""

from __future__ import annotations

import re

from schemas.reasons import Reason

MAX_DETAIL_CHARS = 300
_ADDRESS = re.compile(r"(?i)\b(?:https?|wss?|ftp)://[^\s'\"<>]*")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# Words as yt-dlp 2026.10.26 and the sites behind it write them; the first that is found decides.
_WORDS = (
    (r"not a bot|captcha|unusual traffic|automated (?:queries|requests)", Reason.BOT_WALL),
    (r"http error 429|too many requests|rate.?limit|content isn't available, try again later", Reason.RATE_LIMITED),
    (r"http error (?:404|410)", Reason.GONE),
    (r"http error 401", Reason.LOGIN_REQUIRED),
    (r"http error (?:402|403|451)", Reason.FORBIDDEN),
    (r"http error 5\d\d", Reason.SERVER_ERROR),
    (r"confirm your age|age.?restricted|age.?verif|inappropriate for some users", Reason.LOGIN_REQUIRED),
    (
        r"not available (?:in|from) your (?:country|location|region)|geo.?restrict|blocked it in your",
        Reason.GEO_BLOCKED,
    ),
    (r"drm.?protected|uses drm", Reason.ENCRYPTED),
    (r"is not currently live|live event will begin|premieres in|live stream recording is not", Reason.LIVE_STREAM),
    (r"private video|video is private|sign in|log ?in|members.?only|join this channel", Reason.LOGIN_REQUIRED),
    (r"payment|purchase|subscribers? only|premium", Reason.FORBIDDEN),
    (r"unavailable|no longer available|removed|deleted|terminated|does not exist|not found", Reason.GONE),
    (r"no suitable extractor|unsupported url|unsafe", Reason.ADDRESS_REFUSED),
    (r"requested format is not available|no video formats", Reason.NO_VIDEO),
    (r"larger than max.?filesize|file too large|errno 27", Reason.FILE_TOO_LARGE),
    (r"timed? ?out", Reason.STALLED),
    (r"connection|temporary failure|name or service|resolve|network|ssl|remote end closed", Reason.CONNECTION_FAILED),
    (r"fragment|bytes read|content too short", Reason.WRONG_LENGTH),
)
_RULES = tuple((re.compile(words, re.IGNORECASE), reason) for words, reason in _WORDS)


def reason_of(message: str) -> Reason:
    """Return the reason that a message of yt-dlp means; `site_broken` for words that nobody has seen yet."""
    without_addresses = _ADDRESS.sub("", message)
    return next((reason for words, reason in _RULES if words.search(without_addresses)), Reason.SITE_BROKEN)


def shown(message: str) -> str:
    """Return a message for people: addresses cut down to host and path, one line, no more than MAX_DETAIL_CHARS."""
    plain = _COLOUR.sub("", message).removeprefix("ERROR: ")
    plain = _ADDRESS.sub(_bare, plain)
    plain = "".join(sign if sign.isprintable() else " " for sign in plain)
    for end in ("; please report this issue", " (caused by"):
        plain = plain.partition(end)[0]
    return plain.strip()[:MAX_DETAIL_CHARS]


def _bare(found: re.Match[str]) -> str:
    scheme, _, rest = found[0].partition("://")
    place = re.split(r"[?#]", rest, maxsplit=1)[0]
    host, slash, path = place.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
