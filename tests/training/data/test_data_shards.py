"""Reading shards: the samples that were packed come out, and every planted fault is refused by name."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from schemas.manifest import Manifest
from tests.builders import built_with_fakes
from training.data import (
    ManifestRefused,
    ShardDamaged,
    ShardMissing,
    ShardOffContract,
    ShardSample,
    read_run_manifest,
    shard_samples,
)

Members = list[tuple[str, bytes]]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built_with_fakes(tmp_path_factory.mktemp("built")).root


def shard_bytes(root: Path) -> bytes:
    return (root / read_run_manifest(root).shards[0].path).read_bytes()


def members_of(data: bytes) -> Members:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return [(member.name, tar.extractfile(member).read()) for member in tar]


def tar_of(members: Members) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def planted(folder: Path, manifest: Manifest, data: bytes, samples: int = 2) -> Manifest:
    """Write a shard into a new run and return a manifest that promises exactly its bytes."""
    facts = manifest.shards[0]
    path = folder / facts.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    changed = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "samples": samples}
    return manifest.model_copy(update={"shards": (facts.model_copy(update=changed),)})


def read(root: Path, manifest: Manifest) -> list[ShardSample]:
    return list(shard_samples(root, manifest))


def test_every_packed_sample_comes_out(built: Path) -> None:
    manifest = read_run_manifest(built)
    samples = read(built, manifest)
    assert [(sample.source, sample.tier, sample.text) for sample in samples] == [
        ("stock", "clean", "a circle that is red"),
        ("stock", "clean", "a blue square"),
        ("mined", "video_only", None),
        ("silent", "video_only", None),
        ("stock", "video_only", None),
    ]
    assert samples[0].media == b"video a0-2000000"
    assert samples[0].facts["locator"] == "v/a.mp4"
    assert samples[0].weights_1e4 == {"stage1": 10_000, "stage2": 10_000}
    assert len(list(shard_samples(built, manifest, ["clean"]))) == 2


def test_a_cut_tar_is_refused_at_every_length(built: Path, tmp_path: Path) -> None:
    manifest, data = read_run_manifest(built), shard_bytes(built)
    promised = planted(tmp_path, manifest, data)
    path = tmp_path / manifest.shards[0].path
    for length in range(0, len(data), 97):
        path.write_bytes(data[:length])
        with pytest.raises(ShardDamaged, match=manifest.shards[0].path):
            read(tmp_path, promised)
    path.write_bytes(data)
    assert len(read(tmp_path, promised)) == 2


@pytest.mark.parametrize("place", [0, 600, 5000, -1])
def test_a_flipped_bit_gives_out_no_sample(built: Path, tmp_path: Path, place: int) -> None:
    manifest, data = read_run_manifest(built), bytearray(shard_bytes(built))
    promised = planted(tmp_path, manifest, bytes(data))
    data[place] ^= 1
    (tmp_path / manifest.shards[0].path).write_bytes(data)
    with pytest.raises(ShardDamaged, match="digest"):
        next(iter(shard_samples(tmp_path, promised)))


def test_a_missing_tar_is_named(built: Path, tmp_path: Path) -> None:
    manifest = read_run_manifest(built)
    with pytest.raises(ShardMissing, match=manifest.shards[0].path):
        read(tmp_path, manifest)


def faults(members: Members) -> dict[str, Members]:
    facts, media, text, *rest = members
    key = facts[0].split(".")[0]
    other_source = json.dumps({**json.loads(facts[1]), "source": "mined"}).encode()
    one_weight = json.dumps({**json.loads(facts[1]), "weights_1e4": {"stage1": 10_000}}).encode()
    less_than_none = json.dumps({**json.loads(facts[1]), "weights_1e4": {"stage1": 1, "stage2": -1}}).encode()
    return {
        "one weight": [(facts[0], one_weight), media, text, *rest],
        "a weight below 0": [(facts[0], less_than_none), media, text, *rest],
        "pickle": [facts, media, text, (f"{key}.pyd", b"cos\nsystem\n."), *rest],
        "climbing": [facts, media, text, ("../../etc/passwd.txt", b"x"), *rest],
        "second suffix": [facts, (f"{key}.left.mp4", media[1]), *rest],
        "twice": [*members, facts, media, text],
        "adjacent twins": [facts, media, facts, media, *rest],
        "two texts": [facts, media, text, text, *rest],
        "media first": [media, facts, text, *rest],
        "no media": [facts, text, *rest],
        "facts alone": [facts, *rest],
        "foreign text": [facts, media, (rest[0][0].replace("json", "txt"), b"x"), *rest],
        "other clip": [facts, (media[0], b"another clip"), text, *rest],
        "other source": [(facts[0], other_source), media, text, *rest],
        "no facts": [(facts[0], b"not json"), media, text, *rest],
        "broken text": [facts, media, (text[0], b"\xff"), *rest],
        "too few": [facts, media, text],
    }


@pytest.mark.parametrize("fault", sorted(faults([("k.json", b"{}"), ("k.mp4", b""), ("k.txt", b""), ("l.json", b"")])))
def test_a_tar_off_the_contract_is_refused_although_its_digest_fits(built: Path, tmp_path: Path, fault: str) -> None:
    manifest = read_run_manifest(built)
    members = faults(members_of(shard_bytes(built)))[fault]
    promised = planted(tmp_path, manifest, tar_of(members))
    with pytest.raises(ShardOffContract, match=manifest.shards[0].path):
        read(tmp_path, promised)


def test_bytes_that_are_no_tar_are_refused(built: Path, tmp_path: Path) -> None:
    with pytest.raises(ShardOffContract):
        read(tmp_path, planted(tmp_path, read_run_manifest(built), b"no tar" * 300))


def test_a_key_in_two_shards_is_refused(built: Path) -> None:
    manifest = read_run_manifest(built)
    twice = manifest.model_copy(update={"shards": (manifest.shards[0], manifest.shards[0])})
    with pytest.raises(ShardOffContract, match="stands in"):
        read(built, twice)


def test_a_run_without_its_manifest_is_refused(built: Path, tmp_path: Path) -> None:
    with pytest.raises(ManifestRefused, match="run build first"):
        read_run_manifest(tmp_path)
    with pytest.raises(ManifestRefused, match="v000007"):
        read_run_manifest(built, 7)
    (tmp_path / "manifests").mkdir()
    for name in ("latest.json", "v000001.json"):
        (tmp_path / "manifests" / name).write_bytes((built / "manifests" / name).read_bytes())
    path = tmp_path / "manifests/v000001.json"
    path.write_bytes(path.read_bytes().replace(b"tiny-clean", b"tinx-clean"))
    with pytest.raises(ManifestRefused, match="is not the file"):
        read_run_manifest(tmp_path)
