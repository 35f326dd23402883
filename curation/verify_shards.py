"""Verify shards from their bytes: tars, side-cars and members, and that they hold the selection and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from curation.shard_reading import ShardOffContract, ShardSample, open_shards, read_samples
from curation.store import Store
from curation.verify_report import VerifyReport
from schemas.arrow import SELECTION, read_rows
from schemas.canonical import sha256_hex
from schemas.ids import text_id
from schemas.manifest import Manifest, ShardFacts
from schemas.shards import FACTS_SUFFIX, MEDIA_SUFFIX, TAR_BLOCK_BYTES, Sidecar, sidecar_path

# Problems of one kind that are told in full.
TOLD = 3
_COLUMNS = ("sample_id", "source", "tier", "text_id", "score_1e4", "media_sha256", "shape", "shard_bucket")
Rows = Mapping[str, Mapping[str, Any]]


def verify_shards(store: Store, manifests: Sequence[Manifest], aggregation: str, report: VerifyReport) -> None:
    """Check every shard of every version once, and the last version's samples against the selection.

    Args:
        manifests: ascending by version.
        aggregation: which of a text's scores judging reads.
    """
    latest = {facts.path for facts in manifests[-1].shards} if manifests else set()
    selected = _selected(store) if manifests else {}
    checking = _Checking(store=store, report=report, selected=selected, aggregation=aggregation)
    keys: dict[ShardFacts, tuple[str, ...]] = {}
    for manifest in manifests:
        report.count("manifests")
        for facts in manifest.shards:
            if facts not in keys:
                report.count("shards")
                keys[facts] = checking.shard(facts, is_latest=facts.path in latest)
        _refuse_repeats(manifest, keys, report)
    if manifests:
        missing = sorted(selected.keys() - checking.met)
        lines = [f"sample {key}: is selected for {_place(selected[key])}, and no shard holds it" for key in missing]
        report.problems.extend(told(lines))


def told(lines: Sequence[str]) -> list[str]:
    """Return the first lines of one kind, and how many more there are."""
    more = [f"... and {len(lines) - TOLD} more of this kind"] if len(lines) > TOLD else []
    return [*lines[:TOLD], *more]


def _selected(store: Store) -> Rows:
    paths = [path for path in store.list("selection") if path.endswith(".parquet")]
    rows = (row for path in paths for row in read_rows(store.read(path), SELECTION, columns=_COLUMNS))
    return {row["sample_id"]: row for row in rows if row["shard_bucket"] is not None}


def _place(row: Mapping[str, Any]) -> str:
    shape = f" {row['shape']}" if row["shape"] else ""
    return f"{row['tier']}/{row['source']}{shape} bucket {row['shard_bucket']}"


def _refuse_repeats(manifest: Manifest, keys: Mapping[ShardFacts, tuple[str, ...]], report: VerifyReport) -> None:
    seen: dict[str, str] = {}
    for facts in manifest.shards:
        twice = [key for key in keys[facts] if key in seen]
        lines = [f"{facts.path}: key {key} stands in another shard too, {seen[key]}" for key in twice]
        report.problems.extend(told(lines))
        seen.update(dict.fromkeys(keys[facts], facts.path))


@dataclass
class _Checking:
    store: Store
    report: VerifyReport
    selected: Rows
    aggregation: str
    met: set[str] = field(default_factory=set)

    def shard(self, facts: ShardFacts, *, is_latest: bool) -> tuple[str, ...]:
        """Check one shard; return its keys, as far as it could be read."""
        if not self.report.check_file(self.store, facts.path, facts.bytes, facts.sha256):
            return ()
        keys, layout, weights = [], [], []
        try:
            for sample in read_samples(open_shards(self.store, [facts])):
                keys.append(sample.key)
                layout.append(sample.sizes)
                weights.append(sample.weights_1e4)
                if is_latest:
                    self.report.problems.extend(self._against_selection(facts, sample))
        except ShardOffContract as error:
            self.report.problems.append(str(error))
            return tuple(keys)
        self.report.count("samples", len(keys))
        self.report.problems.extend(self._sidecar(facts, keys, layout, weights))
        return tuple(keys)

    def _against_selection(self, facts: ShardFacts, sample: ShardSample) -> Iterator[str]:
        where, row = f"{facts.path}: sample {sample.key}", self.selected.get(sample.key)
        self.met.add(sample.key)
        if row is None:
            yield f"{where} is not selected for any shard"
            return
        lies_in = (facts.tier, facts.source, facts.shape, facts.bucket)
        if (row["tier"], row["source"], row["shape"], row["shard_bucket"]) != lies_in:
            yield f"{where} is selected for {_place(row)}"
        if row["media_sha256"] != sample.facts["media_sha256"]:
            yield f"{where} is not the clip that was selected"
        yield from self._text(where, row, sample)

    def _text(self, where: str, row: Mapping[str, Any], sample: ShardSample) -> Iterator[str]:
        """Compare the text with the one that was chosen; its id hangs on its words, so no unit is read for it."""
        chosen = next((text for text in sample.facts["texts"] if text["text_id"] == row["text_id"]), None)
        if row["text_id"] is not None and chosen is None:
            yield f"{where} lacks the text {row['text_id']} that was chosen for it"
        if chosen is not None:
            if text_id(sample.key, chosen["kind"], chosen["text"]) != row["text_id"]:
                yield f"{where} has other words under the text {row['text_id']}"
            if chosen["scores_1e4"].get(self.aggregation) != row["score_1e4"]:
                yield f"{where} has another score for the text {row['text_id']} than the selection"
        trusted = None if chosen is None or sample.tier == "video_only" else chosen["text"]
        if sample.text != trusted:
            yield f"{where} has a text that is not the one that was chosen"
        if (sample.facts.get("text_id"), sample.facts.get("score_1e4")) != (row["text_id"], row["score_1e4"]):
            yield f"{where}: its facts name another text or score than the selection"

    def _sidecar(
        self, facts: ShardFacts, keys: list[str], layout: list[dict[str, int]], weights: list[dict[str, int]]
    ) -> Iterator[str]:
        path = sidecar_path(facts.path)
        self.report.count("files")
        if not self.store.exists(path):
            yield f"{path}: missing"
            return
        data = self.store.read(path)
        if sha256_hex(data) != facts.sidecar_sha256:
            yield f"{path}: its bytes changed (written {facts.sidecar_sha256[:12]})"
            return
        sidecar = Sidecar.model_validate_json(data)
        if list(sidecar.keys) != keys:
            yield f"{path}: names other samples than {facts.path} holds"
            return
        ranges = [sidecar.members(place) for place in range(len(keys))]
        found = [{suffix: member.size for suffix, member in own.items()} for own in ranges]
        wrong = [key for key, own, told_of in zip(keys, layout, found, strict=True) if own != told_of]
        yield from told([f"{path}: tells of sample {key} other members than {facts.path} holds" for key in wrong])
        told_weights = [{stage: own[place] for stage, own in sidecar.weights_1e4.items()} for place in range(len(keys))]
        if told_weights != weights:
            yield f"{path}: tells of other weights than {facts.path} holds"
        if not wrong and keys and not self._reads_the_last_clip(facts, sidecar):
            yield f"{path}: its offsets are not those of {facts.path}"

    def _reads_the_last_clip(self, facts: ShardFacts, sidecar: Sidecar) -> bool:
        """Return whether the last sample's facts and clip begin where the side-car says, which hangs on all before."""
        members = sidecar.members(len(sidecar.keys) - 1)
        with self.store.open(facts.path) as file:
            for suffix in (FACTS_SUFFIX, MEDIA_SUFFIX):
                file.seek(members[suffix].start - TAR_BLOCK_BYTES)
                header = file.read(TAR_BLOCK_BYTES)
                if not header.startswith(f"{sidecar.keys[-1]}.{suffix}".encode()):
                    return False
        return True
