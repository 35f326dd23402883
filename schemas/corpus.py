"""`CORPUS.yaml` as a model: what is read, how clips are made, scored, cut, deduplicated and packed.

Every refusal says what, the value, what is allowed and how to mend it. Paths in the file are relative to the file.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from schemas.config_file import ConfigError, Strict, load_yaml, resolve_path
from schemas.duplicates import BASE_PATTERN, BaseVersion, DuplicatePolicy
from schemas.fetching import FetchPolicy
from schemas.judging import Balance, Cuts, Rules, Weights
from schemas.media import ClipFormat, Cutting, MediaLimits, SignalOptions
from schemas.records import Origin, TextKind
from schemas.sharding import ShardOptions

NAME_PATTERN = re.compile(r"[a-z0-9_]{1,40}")
TABLE_FORMATS = ("csv", "tsv", "jsonl", "parquet")
FOLDER_FORMATS = ("folder", "synthetic")
# Published corpora, in the form in which their authors gave them away: docs/corpora.md.
CORPUS_FORMATS: tuple[str, ...] = (
    "acav100m",
    "activitynet_captions",
    "hdvila",
    "howto100m",
    "howto100m_csv",
    "internvid",
    "msrvtt",
    "panda70m",
    "vatex",
    "videocc",
    "webvid",
    "wts",
    "yttemporal",
)
FORMATS = (*TABLE_FORMATS, "folder", "webdataset", "mediapack", "synthetic", *CORPUS_FORMATS)
# What metadata is read from, and what a row may name a video by.
URL_SCHEMES = ("http", "https", "s3", "gs")


def is_url(text: str) -> bool:
    """Return whether a location or media root is an address rather than a path."""
    return text.lower().startswith(tuple(f"{scheme}://" for scheme in URL_SCHEMES))


def has_glob(text: str) -> bool:
    """Return whether a location names files by a pattern; `?` is none, it stands in addresses."""
    return "*" in text


class Licence(Strict):
    """By what right a source is used; a source without it is refused.

    Attributes:
        name: SPDX expression where there is one, for example `CC-BY-4.0`.
        basis: why the corpus may use it: `licensed`, `open_licence`, `own`, `consent` or `research_exception`.
        terms: where the terms stand: an address, a contract number or a file.
    """

    name: str = Field(min_length=1)
    basis: Literal["licensed", "open_licence", "own", "consent", "research_exception"]
    terms: str = Field(min_length=1)


class Columns(Strict):
    """Which column of a table holds what. Times may be seconds (int, float, `H:M:S.f`), ms or us."""

    locator: str = "video"
    start: str = "start_s"
    end: str = "end_s"
    time_unit: Literal["s", "ms", "us"] = "s"
    texts: dict[TextKind, str] = Field(default_factory=dict)


class Transcripts(Strict):
    """How speech is cut into segments, and which words around a segment are scored with it.

    Attributes:
        cut: at the ends of `sentences`, or by the budget of `words` alone.
        words: most words of a segment; MERLOT packs about 31 BPE tokens, which are about 25 English words.
        min_s: a sentence that ends sooner goes on with the next one. What ends a segment all the same (a pause, its
            words, its longest length, the end of the speech) may leave a shorter one, which the clip's limits judge.
        max_s: longest segment; a longer one is cut between words.
        max_gap_s: a longer pause ends a segment.
        max_word_s: how long a word may last whose end is not known.
        offsets_s: how much earlier or later than the segment other words are taken; 0 is always among them.
        max_segments: most segments of one video; one with more is a reject. 20,000 are a day of speech at 4 s each.
    """

    cut: Literal["sentences", "words"] = "sentences"
    words: int = Field(default=25, ge=1, le=500)
    min_s: float = Field(default=0.0, ge=0, le=3600)
    max_s: float = Field(default=15.0, gt=0, le=3600)
    max_gap_s: float = Field(default=3.0, gt=0, le=3600)
    max_word_s: float = Field(default=1.0, gt=0, le=60)
    offsets_s: tuple[float, ...] = Field(default=(-10.0, -5.0, 0.0, 5.0, 10.0), max_length=15)
    max_segments: int = Field(default=20_000, ge=1, le=1_000_000)

    @model_validator(mode="after")
    def _in_order(self) -> Transcripts:
        if self.min_s > self.max_s:
            raise ValueError(
                f"min_s is {self.min_s:g}; allowed: at most max_s ({self.max_s:g}); lower one or raise the other"
            )
        return self


class SourceConfig(Strict):
    """One named corpus with one harvesting method, one licence and one origin.

    Attributes:
        format: one of FORMATS.
        location: the table, the folder of videos, or the folder that the built-in world is rendered into; tables, tars
            and corpora may be many files, named by a pattern with `*` and `**`, or an address (http, https, s3, gs).
            Files that end in `.gz` or `.zst` are unpacked while they are read.
        media_root: folder or address that locators are relative to; by default the folder that holds `location`.
        locator: template of a video's locator with `{id}`, for formats that name videos by id: `videos/{id}.mp4`.
        part: which view of a `mediapack` or `synthetic` location this source is.
        cutting: how spans are made where rows give none; by default the corpus's.
        fetch: how its videos are fetched, and whose wishes are honoured; by default the corpus's.
        transcripts: how speech with times becomes segments and texts.
        column_names: the cells of a `csv` or `tsv` file without a header row, in their order.
        cuts, rules, weights: how its samples are judged; by default the corpus's.
        max_reject_share: a larger share of rejected records, or of planned samples, fails the run (exit 1).
    """

    name: str
    origin: Origin
    format: str
    location: str = Field(min_length=1)
    licence: Licence
    text_kinds: tuple[TextKind, ...] = ()
    media_root: str | None = None
    locator: str | None = None
    part: str | None = None
    columns: Columns = Columns()
    column_names: tuple[str, ...] = ()
    cutting: Cutting | None = None
    fetch: FetchPolicy | None = None
    transcripts: Transcripts = Transcripts()
    cuts: Cuts | None = None
    rules: Rules | None = None
    weights: Weights | None = None
    max_reject_share: float = Field(default=1.0, ge=0.0, le=1.0)

    @field_validator("name")
    @classmethod
    def _name(cls, name: str) -> str:
        return _checked_name("source name", name)

    @field_validator("format")
    @classmethod
    def _format(cls, name: str) -> str:
        if name not in FORMATS:
            raise ValueError(f"format is {name!r}; allowed: {', '.join(FORMATS)}; `clipstrata sources` describes each")
        return name

    @field_validator("location", "media_root")
    @classmethod
    def _readable_place(cls, place: str | None) -> str | None:
        if place is not None and "://" in place and not is_url(place):
            raise ValueError(f"it is {place!r}; allowed: a path, or an address of {', '.join(URL_SCHEMES)}")
        return place

    @model_validator(mode="after")
    def _consistent(self) -> SourceConfig:
        undeclared = sorted(kind.value for kind in self.columns.texts if kind not in self.text_kinds)
        if undeclared:
            raise ValueError(
                f"columns.texts names kinds {undeclared} that text_kinds does not; add them to text_kinds or drop them"
            )
        if self.format in ("mediapack", "synthetic") and self.part is None:
            raise ValueError(f"format {self.format} needs part; say which view of the location this source is")
        if self.format in CORPUS_FORMATS and "text_kinds" not in self.model_fields_set:
            raise ValueError(f"format {self.format} needs text_kinds; name those to take, or [] for videos alone")
        if self.column_names and self.format not in ("csv", "tsv"):
            raise ValueError(f"column_names is for csv and tsv files without a header row, not {self.format}; drop it")
        if has_glob(self.location) and self.location.startswith(("http://", "https://")):
            raise ValueError("location holds a *; an http server does not list its files: make each file a source")
        return self


class WorldConfig(Strict):
    """Size and seed of the built-in world that `synthetic` sources share."""

    seed: int = Field(default=1, ge=0, le=2**31 - 1)
    clips: int = Field(default=3000, ge=60, le=1_000_000)


class ScorerConfig(Strict):
    """The CLIP model that scores texts against clips.

    Attributes:
        model: `world_clip` (shipped), an open_clip architecture, or a folder with `open_clip_config.json`.
        pretrained: an open_clip tag or a weight file; None where the model brings its own weights.
        frames: score frames per clip, uniform over it.
        aggregation: which stored aggregation over frames judging reads; all are stored.
        top_k: how many of a clip's best frames the aggregation `top_k` averages.
        prompt: template around each text.
        keep_frames: leave the score frames in the run, so that another scorer decodes nothing.
        device: `cpu`, `cuda` (refused where there is none), or `auto`: the GPU of whoever starts the job, if any.
        dtype: `float32`, `bfloat16`, or `auto`: bfloat16 where that device has it; both are in the scorer's digest.
    """

    model: str = "world_clip"
    pretrained: str | None = None
    frames: int = Field(default=8, ge=1, le=64)
    aggregation: Literal["mean", "max", "top_k"] = "mean"
    top_k: int = Field(default=3, ge=1, le=64)
    prompt: str = "{}"
    keep_frames: bool = True
    device: Literal["auto", "cpu", "cuda"] = "cpu"
    dtype: Literal["auto", "float32", "bfloat16"] = "float32"

    @field_validator("prompt")
    @classmethod
    def _prompt(cls, prompt: str) -> str:
        if prompt.count("{}") != 1:
            raise ValueError(f"prompt is {prompt!r}; allowed: exactly one {{}} where the text goes")
        return prompt


class TextLimits(Strict):
    """What the texts of one record or sample may be; one beyond is dropped with a count, its clip stays.

    Together they keep every shuffled element under 64 kB.

    Attributes:
        max_bytes: UTF-8 bytes of one text.
        max_total_bytes: UTF-8 bytes of all texts of one sample; a raw form that is longer than its text counts instead.
        markup_kinds: kinds written for a page: HTML is taken out of them; in other kinds it is text.
    """

    max_bytes: int = Field(default=4096, ge=16, le=16_384)
    max_texts: int = Field(default=32, ge=1, le=64)
    max_total_bytes: int = Field(default=24_576, ge=16, le=24_576)
    markup_kinds: tuple[TextKind, ...] = (TextKind.TITLE, TextKind.DESCRIPTION, TextKind.ALT)


class CorpusConfig(Strict):
    """The whole of `CORPUS.yaml`.

    Attributes:
        base: an earlier build, `RUN@VERSION` (docs/duplicates.md): what is in its shards stays, and new clips that
            resemble it are left out.
        suppress: suppression lists of other runs' takedowns, files or folders, also in buckets (docs/takedown.md): what
            they name is not ingested. A run's own takedowns need no mention.
        seed: of every choice that a source's reader makes by chance; now which captions a media pack swaps.
        long_video_s: a video of which more than this is to be cut is cut in pieces of about this, by several workers.
            It costs or saves time and changes no byte.
    """

    corpus: str
    base: str | None = None
    suppress: tuple[str, ...] = ()
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    sources: tuple[SourceConfig, ...] = Field(min_length=1)
    fetch: FetchPolicy = FetchPolicy()
    media: MediaLimits = MediaLimits()
    clip: ClipFormat = ClipFormat()
    signals: SignalOptions = SignalOptions()
    cutting: Cutting = Cutting()
    texts: TextLimits = TextLimits()
    scorer: ScorerConfig = ScorerConfig()
    cuts: Cuts = Cuts()
    rules: Rules = Rules()
    weights: Weights = Weights()
    balance: Balance | None = None
    duplicates: DuplicatePolicy = DuplicatePolicy()
    shards: ShardOptions = ShardOptions()
    world: WorldConfig = WorldConfig()
    videos_per_unit: int = Field(default=16, ge=1, le=4096)
    long_video_s: float = Field(default=600, gt=0, le=86_400)

    @field_validator("corpus")
    @classmethod
    def _corpus(cls, name: str) -> str:
        return _checked_name("corpus name", name)

    @field_validator("base")
    @classmethod
    def _base(cls, base: str | None) -> str | None:
        if base is not None and not BASE_PATTERN.fullmatch(base):
            raise ValueError(f"base is {base!r}; allowed: RUN@VERSION, such as ../run@3; name a run and its version")
        return base

    @property
    def base_version(self) -> BaseVersion | None:
        """The base, taken apart."""
        return None if self.base is None else BaseVersion.parse(self.base)

    @property
    def long_video_us(self) -> int:
        """`long_video_s` in microseconds, one at least."""
        return max(1, round(self.long_video_s * 1e6))

    @model_validator(mode="after")
    def _unique_sources(self) -> CorpusConfig:
        names = [source.name for source in self.sources]
        twice = sorted({name for name in names if names.count(name) > 1})
        if self.base is not None and self.duplicates.scope == "off":
            raise ValueError("base is named while duplicates.scope is off; allowed: corpus or source; drop one of them")
        if twice:
            raise ValueError(f"source names {twice} stand twice; allowed: each name once; rename one of them")
        return self

    @model_validator(mode="after")
    def _rules_on_measured_signals(self) -> CorpusConfig:
        asking = [source.name for source in self.sources if self.rules_of(source).video.max_text_area is not None]
        if asking and not self.signals.text_area:
            raise ValueError(
                f"rules.video.max_text_area is set for {asking} and signals.text_area is false; allowed: the rule "
                "where the signal is measured; set signals: {text_area: true}, or drop the rule"
            )
        return self

    def cutting_of(self, source: SourceConfig) -> Cutting:
        """Return how spans of a source are made: its own way, or the corpus's."""
        return source.cutting or self.cutting

    def fetch_of(self, source: SourceConfig) -> FetchPolicy:
        """Return how a source's videos are fetched: its own way, or the corpus's."""
        return source.fetch or self.fetch

    def cuts_of(self, source: SourceConfig) -> Cuts:
        """Return the cuts of a source: its own, or the corpus's."""
        return source.cuts or self.cuts

    def rules_of(self, source: SourceConfig) -> Rules:
        """Return the rules of a source: its own, or the corpus's."""
        return source.rules or self.rules

    def weights_of(self, source: SourceConfig) -> Weights:
        """Return the sampling weights of a source's tiers in each stage: its own, or the corpus's."""
        return source.weights or self.weights


def _checked_name(what: str, name: str) -> str:
    if not NAME_PATTERN.fullmatch(name):
        raise ValueError(f"{what} is {name!r}; allowed: 1 to 40 of a-z, 0-9 and _; rename it")
    return name


def load_corpus(path: Path) -> CorpusConfig:
    """Read a corpus file, resolve its paths against its folder and check that they can be read.

    Raises:
        ConfigError: the file cannot be read, does not parse, or holds a key or value that is not allowed.
    """
    config = load_yaml(path, CorpusConfig, what="corpus file", guide="docs/corpus.md")
    return _with_resolved_paths(config, path.resolve().parent)


def _with_resolved_paths(config: CorpusConfig, folder: Path) -> CorpusConfig:
    sources = []
    for source in config.sources:
        location = _resolved_location(source, folder)
        root = _resolved_root(source, folder, location)
        sources.append(source.model_copy(update={"location": location, "media_root": root}))
    scorer = config.scorer
    if scorer.model.startswith("."):
        scorer = scorer.model_copy(update={"model": str(resolve_path(folder, scorer.model))})
    if scorer.pretrained is not None and scorer.pretrained.startswith("."):
        scorer = scorer.model_copy(update={"pretrained": str(resolve_path(folder, scorer.pretrained))})
    return config.model_copy(
        update={
            "sources": tuple(sources),
            "scorer": scorer,
            "balance": _resolved_balance(config.balance, folder),
            "suppress": tuple(_resolved_list(path, folder) for path in config.suppress),
            "base": _resolved_base(config.base_version, folder),
        }
    )


def _resolved_base(base: BaseVersion | None, folder: Path) -> str | None:
    if base is None or is_url(str(base.run)):
        return None if base is None else str(base)
    return str(BaseVersion(resolve_path(folder, str(base.run)), base.version))


def _resolved_list(path: str, folder: Path) -> str:
    if is_url(path):
        return path
    resolved = resolve_path(folder, path)
    if not resolved.exists():
        raise ConfigError(
            f"suppress: {resolved} does not exist; allowed: a suppression list, or a folder of them such as a run's "
            "suppressed/; without it removed clips would come back"
        )
    return str(resolved)


def _resolved_balance(balance: Balance | None, folder: Path) -> Balance | None:
    if balance is None:
        return None
    concepts = resolve_path(folder, str(balance.concepts))
    if not concepts.is_file():
        raise ConfigError(f"balance.concepts: {concepts} is no file; allowed: a text file with one concept a line")
    return balance.model_copy(update={"concepts": concepts})


def _resolved_location(source: SourceConfig, folder: Path) -> str:
    if is_url(source.location):
        return source.location
    location = resolve_path(folder, source.location)
    if source.format != "synthetic" and not has_glob(source.location) and not location.exists():
        raise ConfigError(
            f"sources.{source.name}.location: {location} does not exist; allowed: a readable file or folder, a pattern "
            "with *, or an address; paths are relative to the corpus file"
        )
    return str(location)


def _resolved_root(source: SourceConfig, folder: Path, location: str) -> str:
    if source.media_root is not None and is_url(source.media_root):
        return source.media_root
    if source.media_root is None:
        root = location if source.format in FOLDER_FORMATS else folder_of(location)
    else:
        root = str(resolve_path(folder, source.media_root))
    if source.format != "synthetic" and not is_url(root) and not Path(root).is_dir():
        raise ConfigError(
            f"sources.{source.name}.media_root: {root} is no folder; allowed: the folder that locators start from"
        )
    return root


def folder_of(location: str) -> str:
    """Return the folder or prefix that holds a location; of a pattern, the one above its first `*`."""
    path = location.partition("?")[0] if location.startswith("http") else location
    return path.partition("*")[0].rpartition("/")[0] or ("/" if path.startswith("/") else ".")
