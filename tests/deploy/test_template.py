"""The Flex Template: its file is what the service's own library reads, and its launcher takes what the file names."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from google.cloud.dataflow_v1beta3 import ContainerSpec, ParameterType
from google.protobuf.json_format import ParseError

from deploy.dataflow.launch import OWN, launch, split_parameters
from deploy.dataflow.make_spec import make_spec
from pipelines.engine import unknown_flags
from tests.bucket_servers import gs_server

IMAGE = "europe-west4-docker.pkg.dev/p/r/clipstrata:0.1.0-cpu"
# What the launcher adds to the parameters.
LAUNCHED = (
    "--runner=DataflowRunner",
    "--project=p",
    "--region=europe-west4",
    "--job_name=ingest-1",
    "--staging_location=gs://lab/staging",
    "--temp_location=gs://lab/tmp",
    "--template_location=gs://lab/staging/template_launches/1/job_object",
    f"--sdk_container_image={IMAGE}",
    "--machine_type=n1-standard-8",
    "--num_workers=2",
    "--max_num_workers=50",
    "--service_account_email=worker@p.iam.gserviceaccount.com",
    "--subnetwork=regions/europe-west4/subnetworks/default",
    '--labels={"goog-dataflow-provided-template-type":"flex"}',
    "--experiments=use_nvidia_mps",
)
GOOD = {
    "corpus": ["gs://lab/corpora/films.yaml", "gs://lab/c.yml"],
    "out": ["gs://lab/run", "gs://lab/runs/2026-11/"],
    "scoring_accelerator": ["type:nvidia-l4;count:1", "type:nvidia-tesla-t4;count:2;install-nvidia-driver"],
    "scoring_min_ram": ["16GB", "7.5GiB"],
}
BAD = {
    "corpus": ["films.yaml", "s3://lab/films.yaml", "gs://lab/films.csv", "gs://lab/*.yaml"],
    "out": ["/data/run", "gs://lab", "gs://Lab/run"],
    "scoring_accelerator": ["nvidia-l4", "type:nvidia-l4"],
    "scoring_min_ram": ["16", "lots"],
}


def parameters() -> list[dict[str, Any]]:
    return list(make_spec(IMAGE)["metadata"]["parameters"])


def test_the_spec_is_one_for_the_service() -> None:
    spec = ContainerSpec.from_json(json.dumps(make_spec(IMAGE)))
    assert (spec.image, spec.sdk_info.language.name) == (IMAGE, "PYTHON")
    assert spec.default_environment.sdk_container_image == IMAGE
    assert [parameter.name for parameter in spec.metadata.parameters] == list(GOOD)
    assert spec.metadata.parameters[0].param_type == ParameterType.GCS_READ_FILE


def test_the_library_refuses_what_is_misspelt() -> None:
    wrong = json.dumps(make_spec(IMAGE)).replace('"helpText"', '"help"')
    with pytest.raises(ParseError, match='no field named "help"'):
        ContainerSpec.from_json(wrong)


def test_what_the_library_does_not_ask_for_is_there() -> None:
    metadata = make_spec(IMAGE)["metadata"]
    assert metadata["name"] and metadata["description"] and metadata["streaming"] is False
    for parameter in parameters():
        assert all(parameter[key].strip() for key in ("name", "label", "helpText")), parameter
        assert parameter["regexes"], parameter


@pytest.mark.parametrize("name", list(GOOD))
def test_expressions_take_what_is_meant(name: str) -> None:
    (found,) = [parameter for parameter in parameters() if parameter["name"] == name]
    (expression,) = found["regexes"]
    for value in GOOD[name]:
        assert re.fullmatch(expression, value), value
    for value in BAD[name]:
        assert not re.fullmatch(expression, value), value


def test_the_launcher_takes_every_parameter_and_what_is_added() -> None:
    given = [f"--{name}={values[0]}" for name, values in GOOD.items()]
    own, rest = split_parameters([*given, *LAUNCHED])
    assert own == {"corpus": GOOD["corpus"][0], "out": GOOD["out"][0]}
    assert rest == [*given[2:], *LAUNCHED]
    assert unknown_flags(rest) == [], "each is one of Beam's, or of pipelines.dataflow"
    required = {parameter["name"] for parameter in parameters() if not parameter.get("isOptional")}
    assert required == set(OWN)


@pytest.mark.parametrize("name", OWN)
def test_a_missing_parameter_is_told(name: str) -> None:
    with pytest.raises(SystemExit, match=f"parameter '{name}' is missing; allowed: an address"):
        split_parameters([f"--{other}=gs://lab/x" for other in OWN if other != name])


CORPUS = """
corpus: tiny
sources:
  - {name: films, origin: clean, format: csv, location: "gs://lab/rows.csv", text_kinds: [caption], licence:
      {name: CC0-1.0, basis: own, terms: made for a test}}
"""


def test_the_corpus_file_comes_from_its_bucket(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A run in a folder is refused last of all, so what is told says that the rest was read."""
    flags = ["--corpus=gs://lab/corpora/films.yaml", f"--out={tmp_path / 'run'}", *LAUNCHED]
    for corpus, told in (
        (CORPUS, f"--out is {tmp_path / 'run'}: a folder of this machine"),
        ("corpus: 1", "sources: missing"),
    ):
        with gs_server("lab", {"lab/corpora/films.yaml": corpus.encode()}):
            assert launch(flags) == 2
        assert told in capfd.readouterr().err
    assert not (tmp_path / "run").exists()
