"""The words as frozen records: what flows between rooms and what the Parquet parts hold.

Times are integer microseconds, spans are half-open, scores and shares are integers of 1e-4.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from schemas.reasons import RETRYABLE, Reason, Scope, Stage

SCORE_UNIT = 1e-4


class Origin(StrEnum):
    """What a source's texts are worth before anything is measured."""

    CLEAN = "clean"
    NOISY = "noisy"


class TextKind(StrEnum):
    """How a text came to stand beside a video."""

    CAPTION = "caption"
    ASR = "asr"
    ALT = "alt"
    TITLE = "title"
    DESCRIPTION = "description"
    TAGS = "tags"
    GENERATED = "generated"


class Tier(StrEnum):
    """A label computed from scores and cuts; it drops nothing."""

    CLEAN = "clean"
    NOISY_HIGH = "noisy_high"
    NOISY_LOW = "noisy_low"
    VIDEO_ONLY = "video_only"


@dataclass(frozen=True, kw_only=True)
class Text:
    """One string beside a record, with an optional span of its own in the video's time.

    Attributes:
        raw: the string as the source wrote it, where cleaning changed it; None where it did not.
    """

    kind: str
    text: str
    start_us: int | None = None
    end_us: int | None = None
    raw: str | None = None


@dataclass(frozen=True, kw_only=True)
class Record:
    """One row of a source.

    Attributes:
        locator: where the video lies, as the source wrote it, without user info and signatures.
        address: what the bytes are fetched from, an absolute path or a URL with its signature; not part of any digest.
        start_us, end_us: the span asked for, half-open; None is the video's own start or end.
        dropped_texts: (kind, reason code, how many) of the texts that could not be kept; a few at most, however many.
    """

    record_id: str
    source: str
    locator: str
    address: str
    start_us: int | None
    end_us: int | None
    texts: tuple[Text, ...]
    dropped_texts: tuple[tuple[str, str, int], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Reject:
    """Something that could not go on, with what is needed to try it again.

    Attributes:
        detail: at most 2,000 characters for a person.
        input: JSON of what to replay: the record, or the place of the row that did not parse.
    """

    source: str
    stage: Stage
    scope: Scope
    reason: Reason
    detail: str
    record_id: str | None
    sample_id: str | None
    retryable: bool
    attempts: int
    input: str


MAX_DETAIL_CHARS = 2_000


def make_reject(
    record: Record, stage: Stage, reason: Reason, detail: str, *, sample_id: str | None = None, replay_input: str = ""
) -> Reject:
    """Return the reject of a record, or of one sample of it when `sample_id` is given."""
    return Reject(
        source=record.source,
        stage=stage,
        scope=Scope.RECORD if sample_id is None else Scope.SAMPLE,
        reason=reason,
        detail=detail[:MAX_DETAIL_CHARS],
        record_id=record.record_id,
        sample_id=sample_id,
        retryable=reason in RETRYABLE,
        attempts=1,
        input=replay_input,
    )


@dataclass(frozen=True, kw_only=True)
class Signals:
    """Raw measurements of a clip; judging them is a later step.

    Attributes:
        black_share_1e4: share of sampled frames whose mean luma is under 16 of 255.
        static_share_1e4: share of neighbouring sampled frames that differ by under 0.5 of 255 on average.
        motion_1e4: mean absolute luma difference of neighbouring sampled frames, of full scale.
        brightness_1e4: mean luma of full scale.
        flow_1e4: how far blocks of the picture move on average, as a share of the shorter side per second; at most
            about 4,000, because faster blocks are not found.
        sharpness_1e2: variance of the Laplacian of full-scale luma, mean over sampled frames.
        cuts_us: times of the frames after a hard cut inside the clip, from its first frame; at most 32.
        has_audio: whether the original has an audio stream.
        frame_hashes, hash_quality: of the frames at each quarter of a second, in hexadecimal: 64 digits a hash and 2 a
            quality (`curation.media.frame_hashes`).
        text_area_1e4: share of the picture that detected text covers, mean over 4 frames; None where nobody looked.

    Sampled are 8 frames at the centres of equal parts of the clip.
    """

    black_share_1e4: int
    static_share_1e4: int
    motion_1e4: int
    brightness_1e4: int
    flow_1e4: int
    sharpness_1e2: int
    cuts_us: tuple[int, ...]
    has_audio: bool
    frame_hashes: str
    hash_quality: str
    text_area_1e4: int | None = None


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A clip as one source tells it: facts of the clip and where it came from.

    Attributes:
        video_sha256: of the original file's bytes.
        start_us, end_us: the span asked for; None is the video's own start or end.
        media_sha256: of the re-encoded clip's bytes, which names its file under media/.
        content_sha256: of its decoded pictures: equal for clips that show the same, whatever else their files hold.
        duration_us, frames, fps_1e3: of the re-encoded clip; fps in thousandths.
        rights: JSON object of texts: the source's `licence`, `basis` and `terms`, and what the place that the video
            was fetched from said of its use.
    """

    sample_id: str
    source: str
    clip_id: str
    video_sha256: str
    start_us: int | None
    end_us: int | None
    locator: str
    record_ids: tuple[str, ...]
    media_sha256: str
    media_bytes: int
    content_sha256: str
    duration_us: int
    frames: int
    fps_1e3: int
    width_px: int
    height_px: int
    signals: Signals
    rights: str = "{}"


@dataclass(frozen=True, kw_only=True)
class SampleText:
    """One text of a sample.

    Attributes:
        raw: the text as the source wrote it, where cleaning changed it; None where it did not.
        start_us, end_us: the text's own span in the video's time, where it has one.
        chars, words: its length in code points, and in words between white space.
        language, margin_1e4: ISO 639 code, and its probability less that of the next one; None where too short to tell.
        nouns, verbs: counts in an English text; None in others.
    """

    text_id: str
    sample_id: str
    source: str
    kind: str
    text: str
    raw: str | None
    start_us: int | None
    end_us: int | None
    chars: int
    words: int
    language: str | None
    margin_1e4: int | None
    nouns: int | None
    verbs: int | None


@dataclass(frozen=True, kw_only=True)
class Score:
    """One raw measurement of a (clip, text) pair: stored once, never overwritten by a decision.

    Attributes:
        media_sha256: the clip's bytes that were scored.
        frame_plan: how frames were chosen, for example `u8-64`: 8 uniform frames at 64 px.
        offset_us: how far the text's own span lies after the clip's start; 0 for a text without one.
        aggregation: over frames: `mean`, `max` or `top_k` of the cosines.
        score_1e4: the cosine, rounded to an integer of 1e-4.
        tokens_cut: how many tokens of the text lay beyond the scorer's context.
    """

    sample_id: str
    text_id: str
    source: str
    kind: str
    media_sha256: str
    frame_plan: str
    offset_us: int
    aggregation: str
    score_1e4: int
    tokens_cut: int


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What judging decided for a sample.

    Attributes:
        text_id, score_1e4: the chosen text and its score; None for a sample without a scored text.
        offset_us: how far behind the clip's start the speech begins that fits it best, of the offsets that were scored;
            where speech is the chosen text, that text's. None for a clip without speech.
        duplicate_group: the group's id, or None when the clip stands alone.
        keeper: the sample that stands for it; itself when it is kept.
        duplicate_kind: why a keeper stands for it: `exact`, `overlap`, `perceptual` or `semantic`; None if it is kept.
        similarity_1e4: how much it resembles its keeper.
        text_copies: how many texts of the source are nearly like the chosen one, itself included.
        near_group: clips that mean nearly the same, which weigh less; None where there are no others.
        rule: the first rule that the clip breaks, or None.
        stage1_weight_1e4, stage2_weight_1e4: sampling weight of the sample's tier in a training stage, balanced by
            concepts where that is asked for; 10,000 is 1.
        shape: of the clip, where shards are split by it (`shards.shapes`); else empty.
        shard_bucket: bucket inside (tier, source, shape); None when a rule or a duplicate's keeper leaves it out.
    """

    sample_id: str
    source: str
    tier: str
    text_id: str | None
    score_1e4: int | None
    offset_us: int | None
    duplicate_group: str | None
    keeper: str
    duplicate_kind: str | None
    similarity_1e4: int | None
    near_group: str | None
    text_copies: int
    rule: str | None
    stage1_weight_1e4: int
    stage2_weight_1e4: int
    shape: str
    shard_bucket: int | None
    media_sha256: str
    media_bytes: int
    duration_us: int
