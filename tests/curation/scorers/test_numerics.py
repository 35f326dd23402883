from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from curation.scorers import Numerics, ScorerUnavailable, choose_numerics, load_open_clip, scorer_digest
from curation.scorers.numerics import ThisMachine


@dataclass
class FakeMachine:
    """cuda: there is a GPU.     bfloat16: the devices that have it."""

    cuda: bool = False
    bfloat16: tuple[str, ...] = ()

    def has_cuda(self) -> bool:
        return self.cuda

    def has_bfloat16(self, device: str) -> bool:
        return device in self.bfloat16


OLD, CPU, GPU, BOTH = FakeMachine(), FakeMachine(False, ("cpu",)), FakeMachine(True), FakeMachine(True, ("cpu", "cuda"))

# name -> (asked for, machine, what is chosen)
CHOICES = {
    "the default": (("cpu", "float32"), BOTH, "cpu float32"),
    "all that is there": (("auto", "auto"), BOTH, "cuda bfloat16"),
    "a GPU without bfloat16": (("auto", "auto"), GPU, "cuda float32"),
    "a CPU with bfloat16": (("auto", "auto"), CPU, "cpu bfloat16"),
    "an old machine": (("auto", "auto"), OLD, "cpu float32"),
    "a GPU by name": (("cuda", "float32"), GPU, "cuda float32"),
    "bfloat16 by name is taken at its word": (("cpu", "bfloat16"), OLD, "cpu bfloat16"),
    "the CPU by name beside a GPU": (("cpu", "auto"), BOTH, "cpu bfloat16"),
}


@pytest.mark.parametrize("case", CHOICES)
def test_what_is_chosen(case: str) -> None:
    (device, dtype), machine, expected = CHOICES[case]
    assert str(choose_numerics(device, dtype, machine)) == expected


@pytest.mark.parametrize("machine", [OLD, CPU])
def test_a_gpu_that_was_asked_for_is_never_the_cpu(machine: FakeMachine) -> None:
    with pytest.raises(
        ScorerUnavailable, match=r"device is 'cuda' and torch finds no usable GPU here.*say device: cpu"
    ):
        choose_numerics("cuda", "auto", machine)
    with pytest.raises(ScorerUnavailable, match="torch finds no usable GPU"):
        load_open_clip("world_clip", device="cuda", hardware=machine)


@pytest.mark.parametrize(
    ("device", "dtype", "words"),
    [
        ("gpu", "float32", "device is 'gpu'; allowed: auto, cpu, cuda"),
        ("cpu", "float16", "dtype is 'float16'; allowed: auto, float32, bfloat16"),
    ],
)
def test_other_names_are_refused(device: str, dtype: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        choose_numerics(device, dtype, BOTH)


def test_each_device_and_dtype_is_another_scorer() -> None:
    pairs = [Numerics(device=device, dtype=dtype) for device in ("cpu", "cuda") for dtype in ("float32", "bfloat16")]
    digests = [scorer_digest("ab" * 32, numerics) for numerics in pairs]
    assert digests[0] == "ab" * 32
    assert len(set(digests)) == 4
    assert all(len(digest) == 64 for digest in digests)


# name -> (what Linux tells of the cores, whether they have bfloat16)
CORES = {
    "x86 with it": ("processor\t: 0\nflags\t\t: fpu sse2 avx512_bf16 avx512vl\n", True),
    "x86 with tiles": ("flags\t\t: fpu amx_bf16 amx_tile\n", True),
    "x86 without": ("flags\t\t: fpu sse2 avx2\nbugs\t: bf16\n", False),
    "Arm with it": ("Features\t: fp asimd bf16\n", True),
    "nothing told": ("", False),
}


@pytest.mark.parametrize("case", CORES)
def test_what_the_cores_can_do(case: str, tmp_path: Path) -> None:
    told, expected = CORES[case]
    (tmp_path / "cpuinfo").write_text(told)
    assert ThisMachine(tmp_path / "cpuinfo").has_bfloat16("cpu") is expected
    assert ThisMachine(tmp_path / "missing").has_bfloat16("cpu") is False
