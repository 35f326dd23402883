"""Real videos for the `test` split, out of clones of public repositories: none of them is in the pack of `tune`.

    python -m benchmarks.copies.other_videos --clones FOLDER --out FOLDER

Every clone is FOLDER/NAME (`git clone https://github.com/OWNER/NAME`); a file is taken by the hash of its content, so
that another commit does no harm. The videos stay outside the project.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import av

_INTEL, _IMAGEIO, _MMACTION = "intel-iot-devkit/sample-videos", "imageio/imageio-binaries", "open-mmlab/mmaction2"


@dataclass(frozen=True)
class Video:
    """A file of a repository.

    Attributes:
        repository: owner and name, on GitHub.
        path: in the repository, at the time that it was looked at.
        blob: the first 16 digits of Git's hash of its content.
        group: of videos that show one place; those under 4 s that have a group are hard negatives, without copies.
    """

    repository: str
    path: str
    blob: str
    group: str = ""

    @property
    def file(self) -> str:
        """Its name in the set."""
        return f"{self.repository.partition('/')[0]}__{Path(self.path).name}"


VIDEOS = (
    Video(_INTEL, "one-by-one-person-detection.mp4", "d5e116ef305bda2b"),
    Video(_INTEL, "preview/bolt-multi-size-detection.gif", "cd07181ad3847bfb", "bolts"),
    Video(_INTEL, "preview/classroom.gif", "eb2b8d13742bf145", "classroom"),
    Video(_INTEL, "preview/face-demographics-walking-and-pause.gif", "2c765d806a248d74", "hallway"),
    Video(_INTEL, "preview/face-demographics-walking.gif", "dab4ba219c512858", "hallway"),
    Video(_INTEL, "preview/fruit-and-vegetable-detection.gif", "a544ed25afdb045c"),
    Video(_INTEL, "preview/head-pose-face-detection-female-and-male.gif", "13e353bd54ac43c0", "wall"),
    Video(_INTEL, "preview/head-pose-face-detection-female.gif", "56b415e2aba047bb", "wall"),
    Video(_INTEL, "preview/head-pose-face-detection-male.gif", "ba32a3394ed22076", "wall"),
    Video(_INTEL, "preview/people-detection.gif", "bc80a6bc35c410ff", "room"),
    Video(_INTEL, "preview/store-aisle-detection.gif", "c58333fbc2057eb6"),
    Video(_INTEL, "preview/worker-zone-detection.gif", "2295d2b38d3efd41"),
    Video(_IMAGEIO, "images/cockatoo.mp4", "1e4099516f4d8669"),
    Video(_MMACTION, "demo/demo.mp4", "8a1ffbf2cd72d916"),
    Video(_MMACTION, "demo/demo_skeleton.mp4", "fa8a76b8ce541502", "laboratory"),
    Video(_MMACTION, "demo/test_video_structuralize.mp4", "1170c88e8856aacf"),
    Video(_MMACTION, "tests/data/test.avi", "4026d9088d0c8bab"),
    Video(_MMACTION, "tests/data/test.mp4", "ef46c799088f7306"),
)
"""The videos under 4 MB of these repositories that are real, over a second and a half, and no copy of another one."""


def take(video: Video, clones: Path, out: Path) -> dict[str, object]:
    """Write a video's file into a folder, and return its line for the index.

    Raises:
        FileNotFoundError: its repository is not among the clones, or does not hold it.
    """
    clone = clones / video.repository.partition("/")[2]
    done = subprocess.run(["git", "-C", str(clone), "cat-file", "blob", video.blob], capture_output=True, check=False)
    if done.returncode != 0:
        source = f"https://github.com/{video.repository}"
        raise FileNotFoundError(f"{clone} does not hold {video.path} ({video.blob}); clone {source} there")
    (out / video.file).write_bytes(done.stdout)
    with av.open(str(out / video.file)) as container:
        duration_s = (container.duration or 0) / av.time_base
    return {"file": video.file, "duration_s": duration_s, "tags": [f"group:{video.group}"] if video.group else []}


def main() -> int:
    """Write all videos and their index."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clones", type=Path, required=True, help="a folder that holds the clones")
    parser.add_argument("--out", type=Path, required=True, help="a folder outside the project")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(take(video, arguments.clones, arguments.out), sort_keys=True) for video in VIDEOS]
    (arguments.out / "clips.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    sys.stdout.write(f"{len(lines)} videos in {arguments.out}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
