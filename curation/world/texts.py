"""One function for each way of writing: (generator, factors, whether to speak of motion) -> a phrase.

Each function takes the same number of draws whatever the values of the factors are (see `phrases`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from curation.world.factors import Factors
from curation.world.phrases import MISHEARD, in_order, pick, say, say_motion, say_place


@dataclass(frozen=True)
class Phrase:
    """A text and the factors that it names, in the order of `FACTORS`; no factor at all for pure filler."""

    text: str
    names: tuple[str, ...]


Style = Callable[[random.Random, Factors, bool], Phrase]

_OPENINGS = ("", "", "", "Close view of", "Footage of", "Studio shot of")
_ASR_LEADS = ("um so yeah", "okay guys", "you know", "and as you can see", "right here we have", "so basically", "uh")
_ASR_TAILS = ("or whatever", "you know what i mean", "which is kind of cool", "so yeah", "right", "i guess", "honestly")
_HOWTO_LEADS = (
    "next we take",
    "now you want",
    "for this step grab",
    "make sure you have",
    "then place",
    "what i do is use",
)
_HOWTO_TAILS = (
    "and press it firmly",
    "before the glue dries",
    "and leave it for a minute",
    "as we did before",
    "carefully",
)
_FILLER = (
    "okay so let me know in the comments what you think",
    "um yeah i forgot what i wanted to say",
    "please like and subscribe it really helps the channel",
    "so last week we went to my cousin's place",
    "and this video is brought to you by our sponsor",
    "you will need about twenty minutes for this part",
    "before we begin thanks to everyone who wrote in",
    "i have been getting this question a lot lately",
    "let us have a look at the materials list first",
    "anyway where were we",
)
_ALT_TAILS = ("stock image", "clipart", "free download", "royalty free", "thumbnail", "preview", "jpg", "picture of")
_CLICKBAIT = (
    "wow",
    "you won't believe this",
    "compilation",
    "best moments",
    "full video",
    "hd",
    "part two",
    "relaxing",
)
_TAGS = ("funny", "video", "viral", "shorts", "art", "satisfying", "animation", "daily", "loop", "abstract")
_SITES = ("ShapeTube", "Clip Corner", "The Daily Loop", "MyVideoPage")
_BOILERPLATE = (
    "Welcome to our page, where you find new videos every day of the week.",
    "All rights belong to their owners; write to us for a licence.",
    "Sign up for the newsletter and never miss an upload again.",
    "This page uses cookies to give you the best experience.",
    "Rate the video, leave a comment and share it with your friends.",
)


def _sentence(words: list[str]) -> str:
    text = " ".join(word for word in words if word)
    return text[:1].upper() + text[1:]


def caption(rng: random.Random, factors: Factors, motion: bool) -> Phrase:
    """A hand-written sentence: shape and colour always, the other appearance factors mostly."""
    opening = pick(rng, _OPENINGS)
    with_size, with_texture, with_place = rng.random() < 0.6, rng.random() < 0.7, rng.random() < 0.7
    size, texture = say(rng, factors, "size"), say(rng, factors, "texture")
    colour, shape, place = say(rng, factors, "colour"), say(rng, factors, "shape"), say_place(rng, factors)
    moving, motion_names = say_motion(rng, factors)
    noun = [size if with_size else "", colour, texture if with_texture else "", shape]
    words = [opening.lower(), "a", *noun, moving if motion else "", place if with_place else ""]
    names = {"shape", "colour"}
    names |= {name for name, on in (("size", with_size), ("texture", with_texture), ("background", with_place)) if on}
    return Phrase(_sentence(words) + ".", in_order(names | set(motion_names if motion else ())))


def machine(rng: random.Random, factors: Factors, motion: bool) -> Phrase:
    """A captioning model's sentence: one template, plain words."""
    with_texture, with_size = rng.random() < 0.5, rng.random() < 0.3
    texture, colour, shape = say(rng, factors, "texture"), say(rng, factors, "colour"), say(rng, factors, "shape")
    size, place = say(rng, factors, "size"), say_place(rng, factors)
    moving, motion_names = say_motion(rng, factors)
    noun = [size if with_size else "", texture if with_texture else "", colour, shape]
    words = ["a video of a", *noun, place, moving if motion else ""]
    names = {"shape", "colour", "background"}
    names |= {name for name, on in (("texture", with_texture), ("size", with_size)) if on}
    text = " ".join(word for word in words if word)
    return Phrase(text, in_order(names | set(motion_names if motion else ())))


def _some(rng: random.Random, chances: Mapping[str, float]) -> list[str]:
    """A non-empty choice of factors: each by its chance, and the first by default."""
    drawn = [name for name, chance in chances.items() if rng.random() < chance]
    return drawn or [next(iter(chances))]


def alt(rng: random.Random, factors: Factors, motion: bool) -> Phrase:
    """Alt text: a few words and what the page's author left in it."""
    names = _some(rng, {"shape": 0.85, "colour": 0.8, "background": 0.35, "texture": 0.25, "size": 0.1})
    said = {name: say(rng, factors, name) for name in ("size", "texture", "colour", "shape", "background")}
    moving, motion_names = say_motion(rng, factors)
    tail, number = pick(rng, _ALT_TAILS), int(rng.random() * 9000) + 1000
    words = [said[name] for name in said if name in names] + ([moving] if motion else [])
    ending = tail if rng.random() < 0.6 else f"IMG_{number}"
    return Phrase(" ".join([*words, ending]), in_order(set(names) | set(motion_names if motion else ())))


def title(rng: random.Random, factors: Factors, motion: bool) -> Phrase:
    """A title made to be clicked on."""
    names = _some(rng, {"shape": 0.8, "colour": 0.5, "background": 0.2})
    said = {name: say(rng, factors, name).title() for name in ("colour", "shape", "background")}
    moving, motion_names = say_motion(rng, factors)
    bait, number = pick(rng, _CLICKBAIT), int(rng.random() * 60) + 1
    words = [said[name] for name in said if name in names] + ([moving] if motion else [])
    text = f"{bait.upper()}! {' '.join(words)} #{number}"
    return Phrase(text, in_order(set(names) | set(motion_names if motion else ())))


def tags(rng: random.Random, factors: Factors, motion: bool) -> Phrase:
    """A list of tags in no order, about half of which say something."""
    names = _some(rng, {"shape": 0.8, "colour": 0.7, "background": 0.5, "texture": 0.3})
    words = [say(rng, factors, name) for name in names]
    moving, motion_names = say_motion(rng, factors)
    words += [moving] if motion else []
    words += [pick(rng, _TAGS), pick(rng, _TAGS)]
    rng.shuffle(words)
    return Phrase(", ".join(words), in_order(set(names) | set(motion_names if motion else ())))


def description(rng: random.Random, factors: Factors, motion: bool) -> Phrase:
    """A page's description: a sentence about the clip somewhere in boilerplate, now and then too late to be read."""
    told = caption(rng, factors, motion)
    before = int(rng.random() ** 2 * 4)
    lines = [pick(rng, _BOILERPLATE) for _ in range(4)]
    site = pick(rng, _SITES)
    return Phrase(" ".join([*lines[:before], told.text, *lines[before:], f"{site}."]), told.names)


def _misheard(rng: random.Random, text: str) -> str:
    return " ".join(MISHEARD.get(word, word) if rng.random() < 0.12 else word for word in text.split())


def _spoken(
    rng: random.Random, factors: Factors, motion: bool, around: tuple[tuple[str, ...], tuple[str, ...]], article: str
) -> Phrase:
    names = _some(rng, {"shape": 0.75, "colour": 0.65, "size": 0.35, "texture": 0.2, "background": 0.25})
    said = {name: say(rng, factors, name) for name in ("size", "texture", "colour", "shape")}
    place = say_place(rng, factors)
    moving, motion_names = say_motion(rng, factors)
    lead, tail = pick(rng, around[0]), pick(rng, around[1])
    noun = [said[name] for name in said if name in names] + ([] if "shape" in names else ["one"])
    words = [lead, article, *noun, moving if motion else "", place if "background" in names else "", tail]
    text = _misheard(rng, " ".join(word for word in words if word))
    return Phrase(text, in_order(set(names) | set(motion_names if motion else ())))


def vlog(rng: random.Random, factors: Factors, motion: bool) -> Phrase:
    """Speech over pictures: filler around a few words, some of them misheard."""
    return _spoken(rng, factors, motion, (_ASR_LEADS, _ASR_TAILS), "this")


def howto(rng: random.Random, factors: Factors, motion: bool) -> Phrase:
    """Spoken instructions."""
    return _spoken(rng, factors, motion, (_HOWTO_LEADS, _HOWTO_TAILS), "the")


def filler(rng: random.Random, factors: Factors, motion: bool) -> Phrase:
    """Speech that names nothing that can be seen, whatever the factors are."""
    return Phrase(pick(rng, _FILLER), ())


STYLES: Mapping[str, Style] = MappingProxyType(
    {
        "caption": caption,
        "machine": machine,
        "alt": alt,
        "title": title,
        "tags": tags,
        "description": description,
        "vlog": vlog,
        "howto": howto,
    }
)
"""The ways of writing that say something; `filler` says nothing."""
