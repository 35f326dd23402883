"""Why something could not go on: stages, scopes and reason codes, the one list for all rejects."""

from __future__ import annotations

from enum import StrEnum


class Stage(StrEnum):
    """Where in the job a reject arose."""

    READ = "read"
    FETCH = "fetch"
    MEDIA = "media"
    CUT = "cut"
    TEXT = "text"
    SCORE = "score"


class Scope(StrEnum):
    """What a reject takes out: a whole record, one planned sample, or only one text of a sample."""

    RECORD = "record"
    SAMPLE = "sample"
    TEXT = "text"


class Reason(StrEnum):
    """Reason codes. A code is never reused for another meaning: rejects of old runs stay readable."""

    # read: a row of a source
    ROW_UNREADABLE = "row_unreadable"
    FIELD_MISSING = "field_missing"
    FIELD_INVALID = "field_invalid"
    DUPLICATE_ROW = "duplicate_row"
    ID_CONFLICT = "id_conflict"
    RECORD_TOO_LARGE = "record_too_large"
    UNSAFE_NAME = "unsafe_name"
    LOCATOR_OUTSIDE = "locator_outside"
    SPAN_EMPTY = "span_empty"
    SPAN_NEGATIVE = "span_negative"
    SPAN_TOO_LONG = "span_too_long"
    SPAN_TOO_SHORT = "span_too_short"
    # fetch: bringing the file of a locator to this machine
    GONE = "gone"
    FORBIDDEN = "forbidden"
    LOGIN_REQUIRED = "login_required"
    GEO_BLOCKED = "geo_blocked"
    BOT_WALL = "bot_wall"
    LIVE_STREAM = "live_stream"
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    BAD_ANSWER = "bad_answer"
    CONNECTION_FAILED = "connection_failed"
    STALLED = "stalled"
    DEADLINE = "deadline"
    WRONG_LENGTH = "wrong_length"
    WRONG_DIGEST = "wrong_digest"
    WRONG_TYPE = "wrong_type"
    REDIRECT_LOOP = "redirect_loop"
    ADDRESS_REFUSED = "address_refused"
    ROBOTS = "robots"
    ROBOTS_UNKNOWN = "robots_unknown"
    OPTED_OUT = "opted_out"
    TAR_BROKEN = "tar_broken"
    SITE_BROKEN = "site_broken"
    # media: the file a locator leads to
    FILE_MISSING = "file_missing"
    NOT_REGULAR_FILE = "not_regular_file"
    IO_ERROR = "io_error"
    FILE_EMPTY = "file_empty"
    FILE_TOO_LARGE = "file_too_large"
    PLAYLIST = "playlist"
    STILL_IMAGE = "still_image"
    NOT_MEDIA = "not_media"
    BAD_CONTAINER = "bad_container"
    NO_VIDEO = "no_video"
    ENCRYPTED = "encrypted"
    UNSUPPORTED_CODEC = "unsupported_codec"
    BAD_DIMENSIONS = "bad_dimensions"
    FRAME_TOO_LARGE = "frame_too_large"
    TOO_LONG = "too_long"
    TIMEOUT = "timeout"
    CPU_LIMIT = "cpu_limit"
    MEMORY_LIMIT = "memory_limit"
    OUTPUT_LIMIT = "output_limit"
    CHILD_CRASHED = "child_crashed"
    # cut: one span of a readable video
    SPAN_PAST_END = "span_past_end"
    NO_FRAMES = "no_frames"
    TRUNCATED = "truncated"
    TOO_SHORT = "too_short"
    ENCODE_FAILED = "encode_failed"
    CLIP_UNDECODABLE = "clip_undecodable"
    # any of the above: on the suppression list of a takedown
    SUPPRESSED = "suppressed"
    # text: one text of a record
    TEXT_EMPTY = "text_empty"
    TEXT_BROKEN = "text_broken"
    TEXT_TOO_LONG = "text_too_long"
    TEXT_SURPLUS = "text_surplus"
    # score
    SCORE_NOT_FINITE = "score_not_finite"


# What a second attempt may cure: the machine's fault rather than the input's.
RETRYABLE = frozenset(
    {
        Reason.FILE_MISSING,
        Reason.IO_ERROR,
        Reason.BOT_WALL,
        Reason.RATE_LIMITED,
        Reason.SERVER_ERROR,
        Reason.CONNECTION_FAILED,
        Reason.STALLED,
        Reason.DEADLINE,
        Reason.WRONG_LENGTH,
        Reason.WRONG_DIGEST,
        Reason.ROBOTS_UNKNOWN,
        Reason.SITE_BROKEN,
        Reason.TIMEOUT,
        Reason.CPU_LIMIT,
        Reason.MEMORY_LIMIT,
        Reason.OUTPUT_LIMIT,
        Reason.CHILD_CRASHED,
        Reason.SCORE_NOT_FINITE,
    }
)
