"""The suite `shapes`: what frozen encoders know about held-out clips of the built-in world. See docs/evaluation.md."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from curation.world.factors import APPEARANCE, FACTORS, MOTION
from curation.world.texts import Phrase
from schemas.evaluation import EncoderRow, Evaluation, Group, Measure
from training.evaluation.clips import FrameSize, HeldOutClip, clip_frames, draw_clips, labels_of
from training.evaluation.probes import Labelled, ProbeBudget, probe
from training.evaluation.retrieval import MOTION_RATE, draw_captions, expected_recall, ideal_scores, recall
from training.evaluation.subjects import Subject, all_embeddings, all_tokens
from training.model.config import check_count

Progress = Callable[[str, int, int], None]
Frames = dict[FrameSize, NDArray[np.uint8]]

_GROUPS: dict[Group, tuple[str, ...]] = {"appearance": tuple(APPEARANCE), "motion": tuple(MOTION)}
_CLASSES = [len(values) for values in FACTORS.values()]
_RANKS = (1, 5)
_PROBE_SPLITS = ("train", "validation", "test")
_DIGITS = 6  # of a share; more would only be rounding
_RATE = "probe_rate_"
MAX_CLIPS = 100_000
"""Of one split; ours, far beyond what is held in memory at once."""


@dataclass(frozen=True, kw_only=True)
class ShapesOptions:
    """How much is measured; the same for every subject. The defaults are ours (docs/evaluation.md says why).

    seed: of the clips, the captions and the probes.
    probe_train_clips, probe_validation_clips, probe_test_clips: splits of the probes.
    probe_steps, probe_batch: steps of training and clips in each.
    probe_heads: of the attention pooling.
    probe_rates: learning rates to choose from, ascending.
    retrieval_clips: clips with one caption each.
    """

    seed: int = 1
    probe_train_clips: int = 1536
    probe_validation_clips: int = 512
    probe_test_clips: int = 768
    probe_steps: int = 400
    probe_batch: int = 64
    probe_heads: int = 4
    probe_rates: tuple[float, ...] = (2e-3, 6e-3, 2e-2)
    retrieval_clips: int = 256

    def __post_init__(self) -> None:
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise ValueError(f"seed is {self.seed!r}; allowed: integers from 0; give a seed of 0 or more")
        for name in ("probe_steps", "probe_batch", "probe_heads"):
            check_count(name, getattr(self, name))
        for name in (*(f"probe_{split}_clips" for split in _PROBE_SPLITS), "retrieval_clips"):
            check_count(name, getattr(self, name))
            if getattr(self, name) > MAX_CLIPS:
                raise ValueError(f"{name} is {getattr(self, name)}; allowed: 1 to {MAX_CLIPS}; give fewer")
        if self.retrieval_clips <= max(_RANKS):
            raise ValueError(
                f"retrieval_clips is {self.retrieval_clips}; allowed: more than {max(_RANKS)}, or R@{max(_RANKS)} says "
                f"nothing; give at least {max(_RANKS) + 1}"
            )
        good = all(math.isfinite(rate) and rate > 0 for rate in self.probe_rates)
        if not self.probe_rates or not good or any(low >= high for low, high in pairwise(self.probe_rates)):
            raise ValueError(
                f"probe_rates is {self.probe_rates}; allowed: finite numbers above 0, ascending, at least one; "
                "give for example (0.001, 0.003)"
            )


def evaluate_shapes(
    subjects: Sequence[Subject], options: ShapesOptions, on_progress: Progress | None = None
) -> Evaluation:
    """Probe each subject for every factor of the world, and let those with a text side retrieve.

    Equal subjects and options give equal numbers on one machine with one thread count.

    Args:
        on_progress: told (what is being done, how much of it is done, of how much).

    Raises:
        ValueError: there is no subject, or two have one name.
        SubjectFault: a subject gives something that cannot be measured.
    """
    names = [subject.name for subject in subjects]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"subjects are {names}; allowed: at least one, each with its own name; rename or add some")
    progress = on_progress or _silent
    splits = {
        split: draw_clips(split, options.seed, _split_size(options, split)) for split in (*_PROBE_SPLITS, "retrieval")
    }
    frames = _draw(splits, subjects, progress)
    captions = draw_captions(splits["retrieval"], options.seed)
    ceilings = _ceilings(splits["retrieval"], captions)
    rows = []
    for subject in subjects:
        values: dict[str, float | None] = {}
        values |= _probe_values(subject, splits, frames, options, progress)
        values |= _retrieval_values(subject, frames["retrieval"], captions, progress)
        rows.append(EncoderRow(name=subject.name, digest=subject.digest, values=values))
    return Evaluation(
        suite="shapes",
        seed=options.seed,
        settings=_settings(options, ceilings),
        measures=_measures(options),
        rows=tuple(rows),
        notes=_notes(subjects, options, ceilings),
    )


def _silent(what: str, done: int, total: int) -> None:
    return None


def _counter(progress: Progress, what: str, before: int, total: int) -> Callable[[int], None]:
    """Tells the progress how many are done when `before` were done already."""
    return lambda done: progress(what, before + done, total)


def _split_size(options: ShapesOptions, split: str) -> int:
    return options.retrieval_clips if split == "retrieval" else int(getattr(options, f"probe_{split}_clips"))


def _size_of(subject: Subject) -> FrameSize:
    return FrameSize(frames=subject.frames, image_px=subject.image_px)


def _draw(splits: dict[str, list[HeldOutClip]], subjects: Sequence[Subject], progress: Progress) -> dict[str, Frames]:
    """The frames of every split in the sizes that the subjects take; they are drawn once for all."""
    sizes = {_size_of(subject) for subject in subjects}
    total, before = sum(len(clips) for clips in splits.values()), 0
    drawn = {}
    for split, clips in splits.items():
        drawn[split] = clip_frames(clips, sizes, _counter(progress, "clips", before, total))
        before += len(clips)
    return drawn


def _probe_values(
    subject: Subject,
    splits: dict[str, list[HeldOutClip]],
    frames: dict[str, Frames],
    options: ShapesOptions,
    progress: Progress,
) -> dict[str, float]:
    """Test accuracy for each factor, and the mean over each group."""
    total, before = sum(len(splits[split]) for split in _PROBE_SPLITS), 0
    labelled = []
    for split in _PROBE_SPLITS:
        counter = _counter(progress, f"{subject.name}: tokens", before, total)
        tokens = all_tokens(subject, frames[split][_size_of(subject)], counter)
        labelled.append(Labelled(tokens, labels_of(splits[split])))
        before += len(splits[split])
    budget = ProbeBudget(
        seed=options.seed,
        steps=options.probe_steps,
        batch=options.probe_batch,
        heads=options.probe_heads,
        rates=options.probe_rates,
    )
    train, validation, test = labelled
    found = probe(
        (train, validation, test),
        _CLASSES,
        budget,
        _counter(progress, f"{subject.name}: probes", 0, options.probe_steps),
    )
    by_factor = dict(zip(FACTORS, found, strict=True))
    values: dict[str, float] = {}
    for group, factors in _GROUPS.items():
        values[group] = round(math.fsum(by_factor[name] for name in factors) / len(factors), _DIGITS)
        values |= {f"{group}.{name}": round(by_factor[name], _DIGITS) for name in factors}
    return values


def _retrieval_values(
    subject: Subject, frames: Frames, captions: Sequence[Phrase], progress: Progress
) -> dict[str, float | None]:
    texts = [told.text for told in captions]
    both = all_embeddings(
        subject,
        frames[_size_of(subject)],
        texts,
        _counter(progress, f"{subject.name}: retrieval", 0, len(texts)),
    )
    if both is None:
        return {f"{way}_r{k}": None for way in ("text_to_video", "video_to_text") for k in _RANKS}
    video, text = both
    similarity = text.double() @ video.double().T
    ways = {"text_to_video": similarity, "video_to_text": similarity.T}
    return {f"{way}_r{k}": round(recall(scores, k), _DIGITS) for way, scores in ways.items() for k in _RANKS}


def _ceilings(clips: Sequence[HeldOutClip], captions: Sequence[Phrase]) -> dict[str, float]:
    """What an ideal matcher expects of R@1 on these captions: one that knows all factors, one that sees no motion."""
    ceilings = {}
    for suffix, seen in (("", FACTORS), ("_without_motion", APPEARANCE)):
        scores = ideal_scores(clips, captions, seen)
        ceilings[f"text_to_video_r1_ceiling{suffix}"] = round(expected_recall(scores, 1), _DIGITS)
        ceilings[f"video_to_text_r1_ceiling{suffix}"] = round(expected_recall(scores.T, 1), _DIGITS)
    return ceilings


def _measures(options: ShapesOptions) -> tuple[Measure, ...]:
    measures = []
    for group, factors in _GROUPS.items():
        chances = {name: 1 / len(FACTORS[name]) for name in factors}
        mean = math.fsum(chances.values()) / len(chances)
        measures.append(Measure(name=group, title=f"{group}, mean", group=group, chance=mean, summary=True))
        measures += [
            Measure(name=f"{group}.{name}", title=name, group=group, chance=chance) for name, chance in chances.items()
        ]
    for way in ("text_to_video", "video_to_text"):
        measures += [
            Measure(
                name=f"{way}_r{k}",
                title=f"{way.replace('_', ' ')} R@{k}",
                group="retrieval",
                chance=k / options.retrieval_clips,
                summary=k == 1,
            )
            for k in _RANKS
        ]
    return tuple(measures)


def _asked(options: ShapesOptions) -> dict[str, int | float]:
    """The settings that options choose; the seed stands by itself."""
    counts = (
        "probe_train_clips",
        "probe_validation_clips",
        "probe_test_clips",
        "probe_steps",
        "probe_batch",
        "probe_heads",
        "retrieval_clips",
    )
    settings: dict[str, int | float] = {name: getattr(options, name) for name in counts}
    return settings | {f"{_RATE}{number}": rate for number, rate in enumerate(options.probe_rates, start=1)}


def _settings(options: ShapesOptions, ceilings: dict[str, float]) -> dict[str, int | float]:
    return _asked(options) | {"caption_motion_rate": MOTION_RATE} | ceilings


def answers(evaluation: Evaluation, options: ShapesOptions) -> bool:
    """Return whether an evaluation was made with these very options; `Evaluation.is_of` says of which encoders."""
    wanted = _asked(options)
    asked = {name: value for name, value in evaluation.settings.items() if name in wanted or name.startswith(_RATE)}
    return evaluation.seed == options.seed and asked == wanted


def _notes(subjects: Sequence[Subject], options: ShapesOptions, ceilings: dict[str, float]) -> tuple[str, ...]:
    error = 50 / math.sqrt(options.probe_test_clips)
    general = (
        "Clips are held out: drawn from seeds of their own, in memory, not through an encoder and decoder.",
        f"Probe values are from {options.probe_test_clips} clips: one standard error of a factor is up to {error:.1f} "
        "points, and the start of a probe adds to it; small differences need several seeds.",
        "Where the object is says a little about its motion even in one frame, above all about speed.",
        f"Several clips can fit one caption: an ideal matcher expects R@1 of "
        f"{100 * ceilings['text_to_video_r1_ceiling']:.1f} % (text to video) and "
        f"{100 * ceilings['video_to_text_r1_ceiling']:.1f} % (video to text); one that sees no motion "
        f"{100 * ceilings['text_to_video_r1_ceiling_without_motion']:.1f} % and "
        f"{100 * ceilings['video_to_text_r1_ceiling_without_motion']:.1f} %.",
        "In retrieval a tie counts against the encoder.",
    )
    return general + tuple(note for subject in subjects for note in getattr(subject, "notes", ()))
