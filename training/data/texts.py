"""Which of a clip's texts a step takes: shards hold all of a sample's texts, with scores, and name the judged one."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Protocol

from curation.scoring import offset_us
from schemas.canonical import canonical_json

SPEECH = "asr"
UNIT = 10_000  # scores are stored in 1e-4


class Told(Protocol):
    """What a sample must say for one of its texts to be taken."""

    @property
    def key(self) -> str: ...

    @property
    def text(self) -> str | None: ...

    @property
    def facts(self) -> Mapping[str, Any]: ...


class TextChoice(Protocol):
    """Takes a text for a sample at a step; None where the sample has none to train on."""

    def __call__(self, sample: Told, step: int) -> str | None: ...


def judged_text(sample: Told, step: int) -> str | None:
    """Return the text that judging chose: the best one that the corpus's rules admit, at every step."""
    return sample.text


@dataclass(frozen=True, kw_only=True)
class ScoredChoice:
    """Draws one of a clip's texts, a better one more often; a function of seed, step and sample.

    Texts of the judged one's kind take part, and those of `kinds`; of speech, whose windows differ in how far behind
    the clip they begin, only the one that fits best. Scores are of the aggregation that judging went by.

    Attributes:
        spread: a text whose cosine with the clip is lower by this much is drawn 1 / e as often. Above 0.
        kinds: further kinds, whose texts no rule of the corpus may have admitted.
    """

    seed: int
    spread: float = 0.02
    kinds: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < self.spread < math.inf:
            raise ValueError(f"spread is {self.spread}; allowed: finite numbers above 0; give a difference of cosines")

    def __call__(self, sample: Told, step: int) -> str | None:
        """See `TextChoice`."""
        if sample.text is None:
            return None
        texts = candidates(sample.facts, self.kinds)
        if len(texts) < 2:
            return sample.text
        best = max(score for _, score in texts)
        weights = list(accumulate(math.exp((score - best) / (self.spread * UNIT)) for _, score in texts))
        point = _between_0_and_1("text", self.seed, step, sample.key) * weights[-1]
        return next(text for (text, _), reach in zip(texts, weights, strict=True) if point < reach)


def candidates(facts: Mapping[str, Any], kinds: Sequence[str]) -> list[tuple[str, int]]:
    """Return the texts of a sample that may be drawn, with their scores of 1e-4, by their ids.

    Args:
        facts: of a sample in its shard (docs/run-folder.md).
        kinds: that take part beside the judged text's own.
    """
    texts = {text["text_id"]: text for text in facts["texts"]}
    judged = texts.get(facts["text_id"])
    aggregation = None if judged is None else _aggregation(judged, facts["score_1e4"])
    if judged is None or aggregation is None:
        return []
    wanted = {judged["kind"], *kinds}
    scored = [texts[name] for name in sorted(texts) if aggregation in texts[name]["scores_1e4"]]
    speech = [text for text in scored if text["kind"] == SPEECH]
    best = min(speech, key=lambda text: _how_badly(text, aggregation, facts["start_us"]), default=None)
    found = [text for text in scored if text["kind"] in wanted and (text["kind"] != SPEECH or text is best)]
    return [(text["text"], text["scores_1e4"][aggregation]) for text in found]


def _aggregation(judged: Mapping[str, Any], score_1e4: int | None) -> str | None:
    """Return the aggregation over frames by which a text got its score; equal scores rank its sample's texts alike."""
    return next((name for name, score in sorted(judged["scores_1e4"].items()) if score == score_1e4), None)


def _how_badly(text: Mapping[str, Any], aggregation: str, clip_start_us: int | None) -> tuple[int, int, int]:
    """Order a clip's windows of speech as judging does: by score, then the nearest one, then the earlier."""
    offset = offset_us(text["start_us"], clip_start_us)
    return -text["scores_1e4"][aggregation], abs(offset), offset


def _between_0_and_1(*name: object) -> float:
    """Return a number from 0 to below 1 that depends on a name alone."""
    # As many bits as a float holds: 64 of them could round up to 1.
    return (int.from_bytes(hashlib.sha256(canonical_json(name)).digest()[:8], "big") >> 11) / 2**53
