"""yt-dlp's child with an extractor of the tests, and a guard that lets it ask the tests' own server."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import Any

from yt_dlp.extractor.common import InfoExtractor
from yt_dlp.utils import ExtractorError

from curation.fetching.site_child import main
from tests.curation.fetching.worlds import only_the_test_host


class TestPageIE(InfoExtractor):
    """Pages `/watch/ID`, each a JSON document that says what is to be made of it."""

    IE_NAME = "testpage"
    _VALID_URL = r"http://127\.0\.0\.1:\d+/watch/(?P<id>\w+)"

    def _real_extract(self, url: str) -> dict[str, Any]:
        page = self._download_json(url, self._match_id(url))
        if "says" in page:
            raise ExtractorError(page["says"], expected=True)
        if "does" in page:
            self._misbehave(page)
        return {"id": self._match_id(url), "title": "t", **page["info"]}

    def _misbehave(self, page: dict[str, Any]) -> None:
        does = page["does"]
        if does == "hangs":
            time.sleep(60)
        elif does == "runs a program":
            subprocess.run(["touch", page["path"]], check=False)
        elif does == "runs a shell":
            os.posix_spawn("/bin/sh", ["sh", "-c", 'touch "$0"', page["path"]], os.environ)
        elif does == "dies":
            os._exit(3)
        elif does == "prints":
            sys.stdout.write("canary-secret")
            sys.stdout.flush()
        elif does == "has a bug":
            raise KeyError("canary-secret")


TestPageIE.__test__ = False

if __name__ == "__main__":
    main(guard=only_the_test_host, register=(TestPageIE,))
