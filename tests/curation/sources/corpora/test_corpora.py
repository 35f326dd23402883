"""Each published corpus: a file in its form, and the records and rejects that come of it."""

from __future__ import annotations

import gzip
import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from curation.sources import read_source
from curation.sources.corpora import ADAPTERS
from schemas.corpus import CorpusConfig
from schemas.records import Record, Reject

GOLDEN = Path(__file__).parent / "golden"
# repository@commit file
CITED = re.compile(r"[\w.-]+/[\w.-]+@[0-9a-f]{7} \S+")
LICENCE = {"name": "CC0-1.0", "basis": "own", "terms": "made for a test"}
PAGE = "https://www.youtube.com/watch?v="

Told = tuple[Any, ...]

# (locator, start_us, end_us, texts) of a record; (reason, part of the detail) of a reject; in the file's order.
EXPECTED: dict[str, tuple[str, dict[str, Any], list[Told]]] = {
    "internvid": (
        "internvid.jsonl",
        {"text_kinds": ["generated"]},
        [
            (PAGE + "-qUKh9ZWhgM", 453_689_000, 471_085_000, ["A lion rests in the shade."]),
            (PAGE + "a_b-C", 3_600_001_000, 3_602_000_000, ["A train leaves."]),
            ("span_empty", "line 3"),
            ("field_invalid", "time is 'soon'"),
            ("field_missing", "line 5"),
        ],
    ),
    "videocc": (
        "videocc.csv",
        {"text_kinds": ["alt"]},
        [
            (PAGE + "-jQdyLFbSJ8", 3_000_000, 13_000_000, ["a horse on a meadow"]),
            (PAGE + "x", 0, 5_000_001, ["a cup, full"]),
            ("span_empty", "line 3"),
        ],
    ),
    "videocc with a header": (
        "videocc_header.csv",
        {"text_kinds": ["alt"]},
        [(PAGE + "-jQdyLFbSJ8", 3_000_000, 13_000_000, ["a horse on a meadow"])],
    ),
    "wts": (
        "wts.jsonl",
        {"text_kinds": ["title", "description", "tags"]},
        [
            (PAGE + "abc", 1_000_000, 3_000_000, ["My trip", "to the sea", "sea, sun"]),
            (PAGE + "whole", None, None, ["All of it"]),
            ("field_invalid", "line 3"),
        ],
    ),
    "webvid": (
        "webvid.csv",
        {"text_kinds": ["caption"]},
        [
            (
                "https://videos.example/5641526/preview/horse.mp4",
                None,
                None,
                ["Horse grazing - seperated on green screen"],
            ),
            ("field_missing", "line 3"),
        ],
    ),
    "webvid that lies here already": (
        "webvid.csv",
        {"text_kinds": [], "locator": "videos/{id}.mp4"},
        [("videos/5641526.mp4", None, None, []), ("videos/7.mp4", None, None, [])],
    ),
    "panda70m": (
        "panda70m.csv",
        {"text_kinds": ["generated"]},
        [
            (PAGE + "--xyz", 80_880_000, 83_983_000, ["A man cooks."]),
            (PAGE + "--xyz", 120_000_000, 125_500_000, ["It's done."]),
            ("row_unreadable", "1 timestamps and 2 captions"),
            ("row_unreadable", "no Python list"),
            ("field_missing", "line 5 clip 0"),
            (PAGE + "half", 3_000_000, 4_000_000, ["second"]),
        ],
    ),
    "acav100m": (
        "acav100m.csv",
        {"text_kinds": []},
        [
            (PAGE + "NgI3xyMX1Ss", 69_000_000, 79_000_000, []),
            (PAGE + "b", 500_000, 10_250_000, []),
            ("row_unreadable", "segment is 'none'"),
        ],
    ),
    "acav100m as it was released": (
        "acav100m_released.csv",
        {"text_kinds": []},
        [(PAGE + "NgI3xyMX1Ss", 69_000_000, 79_000_000, [])],
    ),
    "msrvtt": (
        "msrvtt.json",
        {"text_kinds": ["caption"]},
        [
            (PAGE + "9lZi22qLlEo", 137_720_000, 149_440_000, ["a car is shown", "in a desert a car drives"]),
            ("span_empty", "video 1"),
            ("row_unreadable", "'video77'"),
        ],
    ),
    "msrvtt that was cut already": (
        "msrvtt.json",
        {"text_kinds": ["caption"], "locator": "{id}.mp4"},
        [
            ("video0.mp4", None, None, ["a car is shown", "in a desert a car drives"]),
            ("video1.mp4", None, None, []),
            ("row_unreadable", "'video77'"),
        ],
    ),
    "vatex": (
        "vatex.json",
        {"text_kinds": ["caption"]},
        [
            (
                PAGE + "Ptf_2VRj-V0",
                122_000_000,
                132_000_000,
                ["A man swims.", "Someone swims.", "一个男人在游泳。"],
            ),
            ("row_unreadable", "'no_times'"),
            ("span_empty", "item 2"),
        ],
    ),
    "hdvila": (
        "hdvila.jsonl",
        {"text_kinds": []},
        [
            (PAGE + "QMi8MJoKbu8", 28_280_000, 35_920_000, []),
            ("field_missing", "line 1 clip 1"),
            ("row_unreadable", "clip is a str"),
        ],
    ),
    "activitynet_captions": (
        "activitynet_captions.json",
        {"text_kinds": ["caption"]},
        [
            (PAGE + "bXdq2zI1Ms0", 0, 10_230_000, ["Three men stand."]),
            (PAGE + "bXdq2zI1Ms0", 10_600_000, 39_840_000, ["They talk."]),
            ("row_unreadable", "v_uneven"),
        ],
    ),
    "howto100m": (
        "howto100m.json",
        {"text_kinds": ["asr"], "transcripts": {"offsets_s": [15.0]}},
        [
            (PAGE + "abc", 410_000, 5_900_000, ["check the pot and stir.", "now it boils"]),
            (PAGE + "abc", 20_000_000, 22_500_000, ["now it boils"]),
            ("row_unreadable", "1 starts, 1 ends and 0 texts"),
            ("row_unreadable", "time is 'soon'"),
        ],
    ),
    "howto100m_csv": (
        "nVbIUDjzWY4.csv",
        {"text_kinds": ["asr"]},
        [
            ("span_empty", "line 3"),
            (PAGE + "nVbIUDjzWY4", 410_000, 3_910_000, ["check pic tonight pick"]),
        ],
    ),
    "yttemporal": (
        "yttemporal.jsonl",
        {"text_kinds": ["asr", "title", "tags"], "transcripts": {"offsets_s": [1.0]}},
        [
            (PAGE + "WAaKRUoY6Io", 0, 1_179_000, ["Hello, all.", "Today we cook.", "Pasta", "food, quick"]),
            (PAGE + "WAaKRUoY6Io", 1_179_000, 3_000_000, ["Today we cook.", "Pasta", "food, quick"]),
            (PAGE + "raw", 1_000_000, 2_250_000, ["only heard"]),
            ("row_unreadable", "time is 'later'"),
            ("row_unreadable", "info is no object"),
        ],
    ),
}


def read(format_name: str, path: Path, options: dict[str, Any]) -> list[Record | Reject]:
    source = {"name": "stock", "origin": "noisy", "format": format_name, "location": str(path), "licence": LICENCE}
    config = CorpusConfig.model_validate(
        {"corpus": "golden", "sources": [{**source, **options, "media_root": "/videos"}]}
    )
    return list(read_source(config.sources[0], config))


def told(item: Record | Reject) -> Told:
    if isinstance(item, Reject):
        return (item.reason.value, item.detail)
    return (item.locator, item.start_us, item.end_us, [text.text for text in item.texts])


@pytest.mark.parametrize("case", EXPECTED)
def test_a_file_of_each_form(case: str) -> None:
    name, options, expected = EXPECTED[case]
    items = [told(item) for item in read(case.split(" ")[0], GOLDEN / name, options)]
    assert len(items) == len(expected)
    for found, wanted in zip(items, expected, strict=True):
        if len(wanted) == 2:
            assert found[0] == wanted[0] and wanted[1] in found[1]
        else:
            assert found == wanted


LONG_CHUNK = json.dumps(
    {
        "info": {"id": "a"},
        "subtitles": [{"word": "a", "time": number} for number in range(2_001)],
        "denoised": [{"noisyasr": "a " * 2_001, "cleanasr": "a " * 2_001}],
    }
)
# What one bad file or row must not do: stop the job, or become the whole of a video. (format, content, reasons)
BAD: dict[str, tuple[str, str, list[str]]] = {
    "a document that is cut off": (
        "activitynet_captions",
        '{"v_a": {"timestamps": [[0, 1]], "sentences": ["x"]}, "v_b": {"time',
        ["kept", "row_unreadable"],
    ),
    "a document of another shape": ("activitynet_captions", "[1, 2]", ["row_unreadable"]),
    "an id that is a list": (
        "msrvtt",
        '{"videos": [{"video_id": [1], "url": "https://a.b/x", "start time": 0, "end time": 1}], "sentences": []}',
        ["kept"],
    ),
    "a span of nothing": (
        "hdvila",
        '{"video_id": "a", "clip": [{"span": null}, 3]}',
        ["field_missing", "field_missing"],
    ),
    "no clips": ("hdvila", '{"video_id": "a", "clip": []}', ["row_unreadable"]),
    "an absent end": ("internvid", '{"YoutubeID": "a", "Start_timestamp": "00:00:01.000"}', ["field_missing"]),
    "one caption in place of a list": ("vatex", '[{"videoID": "a_000001_000002", "enCap": "a dog"}]', ["kept"]),
    "a word without a time": (
        "yttemporal",
        '{"info": {"id": "a"}, "subtitles": [{"word": "x", "time": null}]}',
        ["row_unreadable"],
    ),
    "nothing is said": ("howto100m", '{"a": {"start": [], "end": [], "text": []}}', ["row_unreadable"]),
    "more words than times": (
        "yttemporal",
        '{"info": {"id": "a"}, "subtitles": [], "denoised": [{"noisyasr": "a b", "cleanasr": "A b."}]}',
        ["row_unreadable"],
    ),
    "a chunk too long to align": ("yttemporal", LONG_CHUNK, ["row_unreadable"]),
    "more segments than a day of speech has": (
        "howto100m",
        json.dumps({"a": {"start": list(range(20_001)), "end": list(range(1, 20_002)), "text": ["Yes."] * 20_001}}),
        ["row_unreadable"],
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_item_costs_itself_only(case: str, tmp_path: Path) -> None:
    format_name, content, expected = BAD[case]
    path = tmp_path / "file.json"
    path.write_text(content)
    kinds = [kind.value for adapter in ADAPTERS if adapter.name == format_name for kind in adapter.text_kinds]
    items = read(format_name, path, {"text_kinds": kinds})
    assert [item.reason.value if isinstance(item, Reject) else "kept" for item in items] == expected
    assert all(len(item.texts) <= 1 for item in items if isinstance(item, Record))


def test_every_corpus_has_a_golden_file() -> None:
    assert {case.split(" ")[0] for case in EXPECTED} == {adapter.name for adapter in ADAPTERS}


@pytest.mark.parametrize("case", EXPECTED)
def test_rows_are_told_apart_and_places_name_the_file(case: str) -> None:
    name, options, _ = EXPECTED[case]
    items = read(case.split(" ")[0], GOLDEN / name, options)
    assert len({item.record_id for item in items}) == len(items)
    assert all(item.detail.startswith(name) for item in items if isinstance(item, Reject))


def test_each_adapter_says_where_its_form_was_seen() -> None:
    for adapter in ADAPTERS:
        assert adapter.title and (adapter.name == "wts" or CITED.search(adapter.cites)), adapter.cites
    assert [adapter.name for adapter in ADAPTERS] == sorted(adapter.name for adapter in ADAPTERS)


def test_a_real_file_of_yttemporal(realpack: Path) -> None:
    path = realpack / "metadata" / "yt_temporal" / "WAaKRUoY6Io.grover.json"
    items = read("yttemporal", path, {"text_kinds": ["asr", "title"]})
    assert all(isinstance(item, Record) and item.locator == PAGE + "WAaKRUoY6Io" for item in items)
    spans = [(item.start_us, item.end_us) for item in items if isinstance(item, Record)]
    assert 40 < len(spans) < 120
    assert all(earlier[1] <= later[0] for earlier, later in pairwise(spans))
    first = items[0]
    assert isinstance(first, Record) and first.texts[0].text.startswith("Guys, this is a delicious sweet onion")
    assert "Lemon Tomato Penne Pasta I Frankie Celenza" in {text.text for text in first.texts}


def test_cleaned_words_take_the_times_of_the_heard_ones(tmp_path: Path) -> None:
    heard = (("um", 0.0), ("so", 0.5), ("today", 4.0), ("we", 4.5), ("uh", 5.0), ("cook", 7.0), ("pasta", 7.5))
    video = {
        "info": {"id": "a"},
        "subtitles": [{"word": word, "time": time} for word, time in heard],
        "denoised": [
            {"noisyasr": "um so today", "cleanasr": "So. Today"},
            {"noisyasr": "we uh cook pasta", "cleanasr": "we cook some pasta."},
        ],
    }
    path = tmp_path / "file.jsonl"
    path.write_text(json.dumps(video))
    found = read("yttemporal", path, {"text_kinds": ["asr"], "transcripts": {"offsets_s": []}})
    assert [told(item) for item in found] == [
        (PAGE + "a", 500_000, 1_500_000, ["So."]),
        (PAGE + "a", 4_000_000, 8_500_000, ["Today we cook some pasta."]),
    ]


def test_a_cleaned_form_that_runs_on_after_the_speech_is_cut_off(tmp_path: Path) -> None:
    denoised = [{"noisyasr": "hello", "cleanasr": "Hello " + "and on " * 30}]
    video = {"info": {"id": "a"}, "subtitles": [{"word": "hello", "time": 1.0}], "denoised": denoised}
    path = tmp_path / "file.jsonl"
    path.write_text(json.dumps(video))
    options = {"text_kinds": ["asr"], "transcripts": {"offsets_s": [], "words": 100}}
    (found,) = read("yttemporal", path, options)
    assert isinstance(found, Record)
    assert (found.start_us, found.end_us) == (1_000_000, 2_969_696)
    assert len(found.texts[0].text.split()) == 33


def test_real_files_of_howto100m(realpack: Path) -> None:
    path = realpack / "metadata" / "howto100m" / "small_train_captions" / "*.csv"
    items = read("howto100m_csv", path, {"text_kinds": ["asr"]})
    records = [item for item in items if isinstance(item, Record)]
    assert len(items) == len(records) == 3_066, "11,173 lines of 100 videos, cut into segments"
    assert len({record.locator for record in records}) == 100


@pytest.mark.parametrize("name", ["sub/XyzXyzXyz01.csv", "sub/deep/XyzXyzXyz01.csv.gz"])
def test_a_video_of_howto100m_is_named_by_its_file(name: str, tmp_path: Path) -> None:
    content = b"start,end,text\n1,2,stir it\nsoon,3,lost\n2,4.5,well\n"
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    options = {"text_kinds": ["asr"], "transcripts": {"offsets_s": [3.0]}}
    rejected, record = read("howto100m_csv", tmp_path / "**" / f"*{''.join(path.suffixes)}", options)
    assert isinstance(rejected, Reject) and isinstance(record, Record)
    assert (record.locator, record.start_us, record.end_us) == (PAGE + "XyzXyzXyz01", 1_000_000, 4_500_000)
    assert [text.text for text in record.texts] == ["stir it well"]
    assert "line 3" in rejected.input and rejected.reason.value == "row_unreadable"
