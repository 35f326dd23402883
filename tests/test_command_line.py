"""The command line as a contract: exit codes, messages, and that nothing is written when the input is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from beam_runner import join_values, main, split_flags
from tests.builders import built_with_fakes, write_corpus

# The clips of these runs are made by a fake, and no decoder reads them.
NO_DECODING = ("--decode", "0")


@pytest.fixture
def built(tmp_path: Path) -> Path:
    return built_with_fakes(tmp_path).root


def test_beams_flags_stand_after_two_dashes() -> None:
    assert split_flags(["build", "c", "--", "--runner=X", "-y"]) == (["build", "c"], ("--runner=X", "-y"))
    assert split_flags(["stats", "r"]) == (["stats", "r"], ())


def test_a_value_may_stand_apart_from_its_flag() -> None:
    words = ["--runner", "FlinkRunner", "--parallelism=2", "--no_auth", "--x", "1", "stray"]
    assert join_values(words) == ["--runner=FlinkRunner", "--parallelism=2", "--no_auth", "--x=1", "stray"]


WRONG = {
    "no such corpus file": (["build", "absent.yaml", "--out", "run"], "absent.yaml: cannot be read"),
    "mistyped flag for Beam": (["build", "{corpus}", "--out", "run", "--", "--runer=X"], "unknown option --runer=X"),
    "mistyped flag of ours": (["build", "{corpus}", "--out", "run", "--ot=3"], "unknown option --ot=3"),
    "folder of something else": (["build", "{corpus}", "--out", "{folder}"], "is no run and not empty"),
    "stats of no run": (["stats", "{folder}"], "holds no run.json"),
    "verify of no run": (["verify", "{folder}"], "holds no run.json"),
    "diff of no run": (["diff", "{folder}", "v1", "v2"], "holds no run.json"),
    "prune of no run": (["prune", "{folder}", "--keep", "1"], "holds no run.json"),
    "verify that decodes what": (["verify", "{folder}", "--decode", "some"], "--decode is 'some'"),
    "page of no run": (["dashboard", "absent"], "holds no run.json"),
    "words after the dashes": (["stats", "run", "--", "--cleen"], "unknown argument '--cleen'"),
    "a table that is none": (["build", "{notable}", "--out", "run"], "has no column 'video'"),
    "judging before ingest": (["judge", "{corpus}", "--out", "run"], "this run has no finished ingest"),
}


def exit_code(words: list[str]) -> int:
    try:
        return main(words)
    except SystemExit as error:
        return int(str(error.code))


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_exit_2_with_the_way_out(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = write_corpus(tmp_path / "in")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in" / "empty.csv").write_text("")
    notable = tmp_path / "in" / "notable.yaml"
    notable.write_text(corpus.read_text().replace("stock.csv", "empty.csv"))
    words, message = WRONG[case]
    assert exit_code([word.format(corpus=corpus, folder=tmp_path / "in", notable=notable) for word in words]) == 2
    assert not (tmp_path / "run" / "units").exists()
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("words", [["stats", "run", "--jason"], ["stats", "run", "more"], ["fly"], []])
def test_unknown_words_are_errors(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert "clipstrata" in capsys.readouterr().err


def test_a_wrong_config_writes_nothing(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "in")
    corpus.write_text(corpus.read_text() + "surprise: 1\n")
    assert main(["build", str(corpus), "--out", str(tmp_path / "run")]) == 2
    assert not (tmp_path / "run").exists()


def test_another_corpus_never_mixes_into_a_run(built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = tmp_path / "in" / "corpus.yaml"
    corpus.write_text(corpus.read_text().replace("corpus: tiny", "corpus: other"))
    assert main(["judge", str(corpus), "--out", str(built)]) == 2
    assert "holds a run of corpus 'tiny', not 'other'" in capsys.readouterr().err


def test_json_is_json_only(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stats", str(built), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["corpus"] == "tiny"
    assert main(["verify", str(built), "--json", *NO_DECODING]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is True and report["problems"] == []


def test_clips_that_do_not_decode_are_told(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(built), "--decode", "2"]) == 1
    printed = capsys.readouterr().out
    assert printed.count("the clip does not decode") == 2 and "2 decoded clips" in printed
    assert main(["verify", str(built), "--decode", "all"]) == 1
    assert "5 decoded clips" in capsys.readouterr().out


def test_versions_are_compared_and_pruned(built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = tmp_path / "in" / "corpus.yaml"
    corpus.write_text(corpus.read_text().replace("high: 0.0, low: -0.5", "high: 1.0, low: 0.99"))
    for stage in ("judge", "shard"):
        assert main([stage, str(corpus), "--out", str(built)]) == 0
    capsys.readouterr()
    assert main(["diff", str(built), "v1", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["before"] == 1
    assert main(["diff", str(built), "v1", "v2"]) == 0
    assert "Version 1 to version 2" in capsys.readouterr().out
    assert main(["diff", str(built), "one", "v2"]) == 2
    assert "allowed: a number, such as 3 or v3" in capsys.readouterr().err
    assert main(["prune", str(built), "--keep", "1"]) == 0
    assert "removed: manifests/v000001.json" in capsys.readouterr().out
    assert main(["verify", str(built), *NO_DECODING]) == 0


def test_verify_is_exit_1_when_a_byte_changed(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tar = next((built / "shards").rglob("*.tar"))
    data = bytearray(tar.read_bytes())
    data[600] ^= 1
    tar.write_bytes(data)
    assert main(["verify", str(built), *NO_DECODING]) == 1
    assert "its bytes changed" in capsys.readouterr().out


def test_verify_says_that_a_judged_run_wants_its_shards(
    built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = tmp_path / "in" / "corpus.yaml"
    corpus.write_text(corpus.read_text().replace("high: 0.0, low: -0.5", "high: 1.0, low: 0.99"))
    assert main(["judge", str(corpus), "--out", str(built)]) == 0
    capsys.readouterr()
    assert main(["verify", str(built), *NO_DECODING]) == 1
    assert "run `clipstrata build` to its end" in capsys.readouterr().out


def test_the_page_is_written_where_it_is_asked_for(built: Path, tmp_path: Path) -> None:
    assert main(["dashboard", str(built), "--html", str(tmp_path / "page.html")]) == 0
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
    assert main(["dashboard", str(built)]) == 0
    assert (built / "report" / "index.html").read_bytes() == (tmp_path / "page.html").read_bytes()


def test_stats_for_people(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stats", str(built)]) == 0
    assert "Ledgers" in capsys.readouterr().out
