"""`clipstrata publish` as a user types it: to a bucket that checks keys, and from there into training."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from beam_runner import main
from curation.manifests import read_manifest
from curation.shard_ranges import open_ranges
from pipelines.run_folder import Run, open_run
from pipelines.stages import judge, shard
from pipelines.watching import Watcher
from schemas.fetching import BucketPolicy, FetchPolicy
from schemas.judging import Cuts
from schemas.run import manifest_path
from tests.bucket_servers import S3_KEYS, environment, s3_server
from tests.builders import IN_PROCESS, built_with_fakes
from training.data import BatchOptions, SampleStream, plan_batches, read_index
from training.data.shards import manifest_at

ADDRESS = "s3://corpora/tiny"
QUIET = Watcher(quiet=True)


@pytest.fixture
def policy(tmp_path: Path) -> Iterator[FetchPolicy]:
    (tmp_path / "s3").mkdir()
    with environment(**S3_KEYS), s3_server(tmp_path / "s3", {"corpora/other": b"x"}) as endpoint:
        yield FetchPolicy(buckets=BucketPolicy(s3_endpoint=endpoint))


@pytest.fixture
def run(tmp_path: Path, policy: FetchPolicy) -> Run:
    """A run whose corpus names the endpoint."""
    built = built_with_fakes(tmp_path / "built")
    return open_run(built.config.model_copy(update={"fetch": policy}), built.root)


def keys_of(root: Path | str, policy: FetchPolicy) -> list[tuple[str, ...]]:
    ranges = open_ranges(root, policy)
    index = read_index(ranges, manifest_at(ranges, str(root)))
    plan = plan_batches(index.samples, BatchOptions(size=2, seed=5, stage=2, small_sources="leave_out"))
    batches = SampleStream(ranges, index, plan).batches()
    return [tuple(sample.key for sample in batch.samples) for batch in itertools.islice(batches, 6)]


def again(run: Run, cuts: Cuts) -> None:
    changed = open_run(run.config.model_copy(update={"cuts": cuts}), run.root)
    shard(changed, IN_PROCESS, QUIET, judge(changed, IN_PROCESS, QUIET))


def test_a_published_run_trains_as_the_run_itself(
    run: Run, policy: FetchPolicy, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["publish", str(run.root), ADDRESS]) == 0
    assert f"published: version 1 at {ADDRESS}" in capsys.readouterr().out
    assert keys_of(ADDRESS, policy) == keys_of(run.root, policy)
    assert main(["publish", str(run.root), f"{ADDRESS}/"]) == 0
    assert "0 files written (0.0 MB)" in capsys.readouterr().out


def test_a_new_version_brings_only_what_changed_and_prunes_what_is_gone(
    run: Run, policy: FetchPolicy, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["publish", str(run.root), ADDRESS]) == 0
    again(run, Cuts(clean=1.0, high=1.0, low=0.99))
    old, new = ({facts.path for facts in read_manifest(run.store, version).shards} for version in (1, 2))
    assert main(["prune", str(run.root), "--keep", "1"]) == 0
    capsys.readouterr()
    assert main(["publish", str(run.root), ADDRESS, "--prune"]) == 0
    told = capsys.readouterr().out
    assert f"{2 * len(new - old)} files written" in told and f"{2 * len(old & new)} were there" in told
    assert f"removed: {manifest_path(1)}" in told
    ranges = open_ranges(ADDRESS, policy)
    assert [ranges.find(path) for path in sorted(old - new)] == [None] * len(old - new)
    assert all(ranges.find(path) is not None for path in new)
    assert keys_of(ADDRESS, policy) == keys_of(run.root, policy)


def test_a_second_build_of_that_number_is_told_so(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["publish", str(run.root), ADDRESS]) == 0
    other = built_with_fakes(tmp_path / "other")
    config = run.config.model_copy(update={"fetch": run.config.fetch, "cuts": Cuts(clean=1.0, high=1.0, low=0.99)})
    other = open_run(config, other.root)
    for path in list(other.store.list("manifests")):
        other.store.delete(path)
    shard(other, IN_PROCESS, QUIET, judge(other, IN_PROCESS, QUIET))
    assert main(["publish", str(other.root), ADDRESS]) == 1
    assert "another build was published under that number" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["corpora", "s3://", "http://corpora/run", "file:///tmp/x"])
def test_an_address_that_is_no_bucket_is_refused(address: str, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["publish", str(run.root), address]) == 2
    assert "allowed: s3://BUCKET/FOLDER, gs://BUCKET/FOLDER" in capsys.readouterr().err


def test_a_bucket_that_refuses_says_how_to_mend_it(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    with environment(AWS_SECRET_ACCESS_KEY="wrong"):
        assert main(["publish", str(run.root), ADDRESS]) == 2
    told = capsys.readouterr().err
    assert f"ADDRESS is {ADDRESS}" in told and "a bucket that this machine's keys may write to" in told
    assert main(["publish", str(run.root), "s3://nowhere/tiny"]) == 2
    assert "ADDRESS is s3://nowhere/tiny" in capsys.readouterr().err


@pytest.mark.parametrize("version", ["9", "0"])
def test_a_version_that_is_not_there_is_refused(version: str, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["publish", str(run.root), ADDRESS, "--version", version]) == 2
    assert f"version {version} is not in this run" in capsys.readouterr().err
