from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from apache_beam.options.pipeline_options import FlinkRunnerOptions, PortableOptions

from curation.store import LocalStore
from pipelines.engine import EngineOptions
from pipelines.flags import EngineOptionsError
from pipelines.flink import FlinkSession, JobFailed, end_earlier_job, job_told
from pipelines.flink_rest import Flink
from pipelines.run_folder import only_build
from schemas.run import FLINK_JOB_JSON
from tests.pipelines.flink_fake import FakeFlink, serving_fake


@pytest.fixture
def fake() -> Iterator[FakeFlink]:
    with serving_fake(FakeFlink()) as serving:
        yield serving


def engine(fake: FakeFlink, tools: Path, *flags: str) -> EngineOptions:
    return EngineOptions(flags=("--runner=FlinkRunner", f"--flink_master={fake.master}", *flags), tools=tools)


def with_jar(folder: Path) -> Path:
    (folder / "job-server.jar").touch()
    return folder


def test_a_cluster_gets_what_its_traps_ask_for(fake: FakeFlink, tmp_path: Path) -> None:
    options = engine(fake, with_jar(tmp_path)).to_beam()
    found = options.view_as(PortableOptions)
    assert (found.environment_type, found.environment_config) == ("EXTERNAL", "localhost:50000")
    assert options.view_as(FlinkRunnerOptions).parallelism == 3, "all slots"
    assert found.sdk_worker_parallelism == "2", "a Python process for each slot of a TaskManager"
    assert found.environment_cache_millis == "5000"
    assert options.view_as(FlinkRunnerOptions).flink_job_server_jar == str(tmp_path / "job-server.jar")


def test_a_cluster_says_where_its_job_server_and_its_workers_are(fake: FakeFlink, tmp_path: Path) -> None:
    fake.config = {"clipstrata.job-endpoint": "jobs:1", "clipstrata.worker-pool": "pool:2"}
    found = engine(fake, tmp_path).to_beam().view_as(PortableOptions)
    assert (found.job_endpoint, found.environment_config) == ("jobs:1", "pool:2")


def test_each_default_gives_way_to_the_flag(fake: FakeFlink, tmp_path: Path) -> None:
    given = (
        "--parallelism=7",
        "--sdk_worker_parallelism=8",
        "--environment_cache_millis=9",
        "--environment_type=PROCESS",
        "--flink_job_server_jar=/a/jar",
    )
    options = engine(fake, tmp_path, *given).to_beam()
    found, flink = options.view_as(PortableOptions), options.view_as(FlinkRunnerOptions)
    assert (flink.parallelism, found.sdk_worker_parallelism, found.environment_cache_millis) == (7, "8", "9")
    assert (found.environment_type, found.environment_config) == ("PROCESS", None)
    assert (flink.flink_job_server_jar, found.job_endpoint) == ("/a/jar", None)


@pytest.mark.parametrize("master", ["[local]", "[auto]"])
def test_flink_in_the_job_server_asks_no_cluster(master: str, tmp_path: Path) -> None:
    flags = ("--runner=FlinkRunner", f"--flink_master={master}")
    found = EngineOptions(flags=flags, tools=with_jar(tmp_path)).all_flags()
    assert found == (f"--flink_job_server_jar={tmp_path / 'job-server.jar'}", *flags)


def test_without_a_job_server_it_is_said_how_to_mend(fake: FakeFlink, tmp_path: Path) -> None:
    with pytest.raises(EngineOptionsError, match="`make flink` builds one"):
        engine(fake, tmp_path).to_beam()


def test_where_no_cluster_answers_it_is_said_how_to_mend(tmp_path: Path) -> None:
    with pytest.raises(EngineOptionsError, match=r"no Flink answers there .*make flink-up"):
        engine(FakeFlink(port=1), tmp_path).to_beam()


def test_a_cluster_without_slots_is_refused(fake: FakeFlink, tmp_path: Path) -> None:
    fake.slots = ()
    with pytest.raises(EngineOptionsError, match="has no TaskManagers"):
        engine(fake, tmp_path).to_beam()


def session(fake: FakeFlink, root: Path) -> FlinkSession:
    return FlinkSession(flink=Flink(fake.master), name="mine", noted_in=LocalStore(root))


def test_a_job_that_ends_well_is_not_cancelled(fake: FakeFlink, tmp_path: Path) -> None:
    fake.add_job("mine", "FINISHED")
    with session(fake, tmp_path).ended_with_the_block():
        noted = json.loads((tmp_path / FLINK_JOB_JSON).read_bytes())
        assert (noted["master"], noted["name"]) == (fake.master, "mine")
    assert fake.cancelled == []
    assert not (tmp_path / FLINK_JOB_JSON).exists()


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_job_whose_block_is_left_early_is_cancelled_and_waited_for(
    error: type[BaseException], fake: FakeFlink, tmp_path: Path
) -> None:
    fake.add_job("another", jid="2")
    fake.add_job("mine", jid="3", start=5)
    fake.polls_to_end = 2
    with pytest.raises(error), session(fake, tmp_path).ended_with_the_block():
        raise error
    assert fake.cancelled == ["3"]
    assert fake.polls_to_end == 0, "it was waited for"
    assert not (tmp_path / FLINK_JOB_JSON).exists()


def test_sigterm_is_an_interrupt(fake: FakeFlink, tmp_path: Path) -> None:
    fake.add_job("mine")
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), session(fake, tmp_path).ended_with_the_block():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
    assert fake.cancelled == ["1"]
    assert signal.getsignal(signal.SIGTERM) == before


def test_the_note_stays_where_the_cluster_does_not_answer(tmp_path: Path) -> None:
    with pytest.raises(ValueError), session(FakeFlink(port=1), tmp_path).ended_with_the_block():
        raise ValueError
    assert (tmp_path / FLINK_JOB_JSON).exists()


@pytest.mark.parametrize("error", [RuntimeError("it broke\nin detail"), grpc.RpcError("it broke")])
def test_a_job_that_fails_says_so_in_one_line(error: Exception, fake: FakeFlink, tmp_path: Path) -> None:
    fake.add_job("mine", "FAILED")
    said = r"mine at .* failed: it broke; the same command goes on where it stopped$"
    with pytest.raises(JobFailed, match=said), session(fake, tmp_path).ended_with_the_block():
        raise error
    assert fake.cancelled == []
    assert not (tmp_path / FLINK_JOB_JSON).exists()


def left_behind(fake: FakeFlink, root: Path, age_s: float = 3600) -> None:
    noted = {"master": fake.master, "name": "mine", "sent_s": time.time() - age_s}
    LocalStore(root).write(FLINK_JOB_JSON, json.dumps(noted).encode("utf-8"))


def test_a_build_ends_the_job_of_one_that_was_killed(fake: FakeFlink, tmp_path: Path) -> None:
    fake.add_job("mine")
    left_behind(fake, tmp_path)
    with only_build(LocalStore(tmp_path)):
        assert fake.cancelled == ["1"]
    assert not (tmp_path / FLINK_JOB_JSON).exists()


def test_a_job_that_was_just_sent_off_is_waited_for(fake: FakeFlink, tmp_path: Path) -> None:
    left_behind(fake, tmp_path, age_s=28.5)
    started = time.monotonic()
    end_earlier_job(LocalStore(tmp_path))
    assert 1.0 < time.monotonic() - started < 20
    assert not (tmp_path / FLINK_JOB_JSON).exists()


def test_a_cluster_that_is_gone_runs_no_job(tmp_path: Path) -> None:
    left_behind(FakeFlink(port=1), tmp_path)
    end_earlier_job(LocalStore(tmp_path))
    assert not (tmp_path / FLINK_JOB_JSON).exists()


def test_a_cluster_that_does_not_answer_may_still_run_the_job(fake: FakeFlink, tmp_path: Path) -> None:
    fake.broken = True
    left_behind(fake, tmp_path)
    with pytest.raises(EngineOptionsError, match=r"mine of an earlier attempt may still run .* remove that file"):
        end_earlier_job(LocalStore(tmp_path))
    assert (tmp_path / FLINK_JOB_JSON).exists()


def test_progress_tells_of_the_job(fake: FakeFlink, tmp_path: Path) -> None:
    assert job_told(tmp_path) == ""
    left_behind(fake, tmp_path)
    assert job_told(tmp_path) == "", "the cluster does not know it yet"
    fake.add_job("mine")
    assert job_told(tmp_path) == "Flink running, 7 of 42 tasks finished"
