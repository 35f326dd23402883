"""The Flex Template's spec: an image, and metadata.json beside this file.

python deploy/dataflow/make_spec.py IMAGE > clipstrata-ingest.json, and the result goes to a bucket.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

METADATA = Path(__file__).parent / "metadata.json"


def make_spec(image: str) -> dict[str, Any]:
    """Return the spec of the template in an image, which is its workers' image too."""
    return {
        "image": image,
        "sdkInfo": {"language": "PYTHON"},
        "metadata": json.loads(METADATA.read_text(encoding="utf-8")),
        "defaultEnvironment": {"sdkContainerImage": image},
    }


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python deploy/dataflow/make_spec.py IMAGE, as REGISTRY/clipstrata:0.1.0-cpu")
    sys.stdout.write(json.dumps(make_spec(sys.argv[1]), indent=2) + "\n")
