"""The manifests, read: objects are what the schemas allow, they name each other rightly, and memory adds up."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from pipelines.engine import EngineOptions, unknown_flags
from schemas.corpus import load_corpus
from schemas.media import MediaLimits

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
SCHEMA = json.loads((Path(__file__).parent / "flink_deployment.schema.json").read_text())
KUBERNETES = "1.35"
# Made by hand with the cluster's keys, and by the operator's chart.
MADE_BESIDE = {("Secret", "clipstrata-object-store"): {"access-key-id", "secret-access-key"}}
UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "m": 2**20, "g": 2**30}


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((FOLDER / name).read_text()))


OBJECTS = [
    document
    for name in yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"]
    for document in documents(name)
]
FLINK, BUILD = documents("flink.yaml")[0], documents("build.yaml")[0]
WORKER_POD = FLINK["spec"]["taskManager"]["podTemplate"]["spec"]
BUILD_POD = BUILD["spec"]["template"]["spec"]


def containers() -> Iterator[dict[str, Any]]:
    """Yield our containers; that of Flink itself is filled in by the operator."""
    for pod in (WORKER_POD, BUILD_POD):
        for container in (*pod.get("initContainers", ()), *pod["containers"]):
            if "image" in container:
                yield container


def named(kind: str, name: str) -> dict[str, Any]:
    (found,) = [item for item in OBJECTS if (item["kind"], item["metadata"]["name"]) == (kind, name)]
    return found


def container(pod: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [item for item in (*pod.get("initContainers", ()), *pod["containers"]) if item["name"] == name]
    return dict(found)


def flag(name: str) -> str:
    values = [word.split("=", 1)[1] for word in container(BUILD_POD, "build")["args"] if word.startswith(f"--{name}=")]
    assert len(values) == 1, name
    return str(values[0])


def in_bytes(text: str) -> int:
    number, unit = re.fullmatch(r"(\d+)([A-Za-z]+)", text).groups()  # type: ignore[union-attr]
    return int(number) * UNITS[unit]


def memory(found: dict[str, Any]) -> int:
    """Return a container's memory, of which it asks as much as it may take."""
    assert found["resources"]["requests"]["memory"] == found["resources"]["limits"]["memory"]
    return in_bytes(found["resources"]["limits"]["memory"])


def test_every_object_is_checked_by_a_schema() -> None:
    kinds = [item["kind"] for item in OBJECTS]
    assert sorted(kinds) == ["ConfigMap", "ConfigMap", "FlinkDeployment", "Job", "NetworkPolicy", "NetworkPolicy"]
    for item in OBJECTS:
        if item["kind"] != "FlinkDeployment":
            kubernetes_validate.validate(item, KUBERNETES, strict=True)
    jsonschema.validate(FLINK["spec"], SCHEMA)
    assert (FLINK["apiVersion"], set(FLINK)) == ("flink.apache.org/v1beta1", {"apiVersion", "kind", "metadata", "spec"})


def worker_pod() -> dict[str, Any]:
    """Return the TaskManager's template as the pod that the operator makes of it."""
    main = {"name": "flink-main-container", "image": FLINK["spec"]["image"]}
    others = [item for item in WORKER_POD["containers"] if item["name"] != main["name"]]
    assert len(others) == len(WORKER_POD["containers"]) - 1
    spec = {**WORKER_POD, "containers": [main, *others]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "worker"}, "spec": spec}


def test_the_template_of_a_pod_is_one() -> None:
    kubernetes_validate.validate(worker_pod(), KUBERNETES, strict=True)


def test_planted_faults_are_seen() -> None:
    pod = worker_pod()
    pod["spec"] = {**pod["spec"], "volume": []}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(pod, KUBERNETES, strict=True)
    for wrong in ({"taskmanager": {}}, {"flinkVersion": "v9_9"}, {"jobManager": {"resource": {"mem": "1g"}}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**FLINK["spec"], **wrong}, SCHEMA)


def test_what_is_named_is_there() -> None:
    for found in containers():
        for source in found.get("envFrom", ()):
            named("ConfigMap", source["configMapRef"]["name"])
        for variable in found.get("env", ()):
            if "valueFrom" in variable:
                key = variable["valueFrom"]["secretKeyRef"]
                assert key["key"] in MADE_BESIDE["Secret", key["name"]]
    for pod in (WORKER_POD, BUILD_POD):
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        used = {
            mount["name"]
            for item in pod["containers"] + pod.get("initContainers", [])
            for mount in item.get("volumeMounts", ())
        }
        assert used == set(volumes)
        for volume in volumes.values():
            if "configMap" in volume:
                named("ConfigMap", volume["configMap"]["name"])
    docs = (ROOT / "docs" / "kubernetes.md").read_text()
    for (_, name), keys in MADE_BESIDE.items():
        assert f"create secret generic {name}" in docs and all(key in docs for key in keys)


def test_ports_and_addresses_meet() -> None:
    server = container(BUILD_POD, "job-server")
    given = dict(word.removeprefix("--").split("=", 1) for word in server["args"])
    assert flag("job_endpoint") == f"{given['job-host']}:{given['job-port']}"
    assert flag("artifact_endpoint") == f"{given['job-host']}:{given['artifact-port']}"
    assert given["flink-master"] == f"{FLINK['metadata']['name']}-rest:8081", "the service that the operator makes"
    assert f"/dev/tcp/{given['job-host']}/{given['job-port']}" in server["startupProbe"]["exec"]["command"][-1]
    (port,) = container(WORKER_POD, "beam-workers")["ports"]
    assert flag("environment_config") == f"localhost:{port['containerPort']}" == "localhost:50000"
    assert (flag("environment_type"), flag("runner")) == ("EXTERNAL", "PortableRunner")


def test_nobody_reaches_a_worker_pool_over_the_network() -> None:
    policy = named("NetworkPolicy", "clipstrata-flink")["spec"]
    assert policy["podSelector"]["matchLabels"] == {"app": FLINK["metadata"]["name"]}, "as Flink labels its pods"
    for rule in policy["ingress"]:
        assert rule["from"], "an empty list lets everybody in"
        for port in rule["ports"]:
            assert not port["port"] <= 50000 <= port.get("endPort", port["port"])
    label = BUILD["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/name"]
    assert {"app.kubernetes.io/name": label} in [
        peer["podSelector"]["matchLabels"] for rule in policy["ingress"] for peer in rule["from"]
    ]
    closed = named("NetworkPolicy", "clipstrata-build")["spec"]
    assert (closed["podSelector"]["matchLabels"], closed["ingress"]) == ({"app.kubernetes.io/name": label}, [])


def test_versions_are_the_projects() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    beam = next(name for name in project["dependencies"] if name.startswith("apache-beam==")).split("==")[1]
    images = {found["name"]: found["image"] for found in containers()}
    flink = FLINK["spec"]["flinkVersion"].removeprefix("v").replace("_", ".")
    assert images == {
        "beam-workers": f"clipstrata:{project['version']}-cpu",
        "build": f"clipstrata:{project['version']}-cpu",
        "job-server": f"apache/beam_flink{flink}_job_server:{beam}",
    }
    assert FLINK["spec"]["image"] == f"flink:{flink}-java17"
    (replaced,) = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["images"]
    assert (replaced["name"], replaced["newTag"]) == ("clipstrata", f"{project['version']}-cpu")


def test_the_command_is_one_that_clipstrata_takes() -> None:
    words = container(BUILD_POD, "build")["args"]
    flags = words[words.index("--") + 1 :]
    assert unknown_flags(flags) == []
    EngineOptions(flags=tuple(flags), root=words[words.index("--out") + 1]).to_beam()
    assert words[:2] == ["build", "/corpus/corpus.yaml"] and words[words.index("--out") + 1].startswith("s3://")


def test_the_corpus_is_one(tmp_path: Path) -> None:
    text = named("ConfigMap", "clipstrata-corpus")["data"]["corpus.yaml"]
    (tmp_path / "corpus.yaml").write_text(text)
    config = load_corpus(tmp_path / "corpus.yaml")
    assert [str(source.location).startswith("s3://") for source in config.sources] == [True]


def test_no_key_is_in_a_file_and_no_container_is_root() -> None:
    text = "".join((FOLDER / name).read_text() for name in ("flink.yaml", "build.yaml", "config.yaml", "network.yaml"))
    assert "kind: Secret" not in text and not re.search(r"AKIA[0-9A-Z]{16}|PRIVATE KEY", text)
    for found in containers():
        assert all(
            "value" not in item for item in found.get("env", ()) if "KEY" in item["name"] or "SECRET" in item["name"]
        )
        if found["image"].startswith("clipstrata:"):
            context = found["securityContext"]
            assert context["runAsNonRoot"] and context["readOnlyRootFilesystem"] and context["runAsUser"] == 10001
            assert context["capabilities"] == {"drop": ["ALL"]} and not context["allowPrivilegeEscalation"]
            assert any(mount["mountPath"] == "/tmp" for mount in found["volumeMounts"]), "it must write somewhere"


def test_memory_adds_up_as_the_page_says() -> None:
    """The numbers of docs/kubernetes.md, from the manifests and from the limits that the code sets."""
    slots = int(FLINK["spec"]["flinkConfiguration"]["taskmanager.numberOfTaskSlots"])
    workers = container(WORKER_POD, "beam-workers")
    per_slot, process = MediaLimits().memory_mb * 10**6, 2000 * 10**6
    assert flag("sdk_worker_parallelism") == "1", "one process, and so one model, serves all slots"
    assert process + slots * per_slot <= memory(workers) < process + (slots + 1) * per_slot
    assert int(workers["resources"]["requests"]["cpu"]) == slots, "a slot keeps a core busy"
    assert int(flag("parallelism")) % slots == 0, "whole TaskManagers"
    flink = in_bytes(FLINK["spec"]["taskManager"]["resource"]["memory"])
    docs = (ROOT / "docs" / "kubernetes.md").read_text()
    child_mb, process_mb = per_slot // 10**6, process // 10**6
    build_pod = memory(container(BUILD_POD, "build")) + memory(container(BUILD_POD, "job-server"))
    told = {
        "a slot's media child and ffmpeg": f"{child_mb:,} MB",
        "a worker container": f"{process_mb:,} + {slots} x {child_mb:,} = {process_mb + slots * child_mb:,} MB",
        "its limit": f"{memory(workers) // 2**30} GiB",
        "a TaskManager": f"{flink // 2**20:,} MiB",
        "a pod of both": f"{(memory(workers) + flink) / 2**30:.0f} GiB",
        "the build's pod": f"{build_pod // 2**30} GiB",
    }
    for what, number in told.items():
        assert str(number) in docs, f"docs/kubernetes.md lacks {what}: {number}"
