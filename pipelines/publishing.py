"""`clipstrata publish` as a command: parsed arguments -> a version in a bucket -> a line and an exit code."""

from __future__ import annotations

import sys
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from curation.bucket_client import BUCKET_SCHEMES, bucket_file_system
from curation.bucket_folder import BucketFolder, BucketRefused
from curation.manifests import read_pointer
from curation.published import PruneWhat, Published, publish
from curation.store import Store
from curation.stores import open_store
from curation.versions import wanted_version
from pipelines.inspecting import EXIT_DONE, Flags
from pipelines.run_folder import read_run
from schemas.config_file import ConfigError
from schemas.corpus import CorpusConfig
from schemas.manifest import Manifest


def run_publish(arguments: Any, flags: Flags) -> int:
    """Publish a version of a run's shards; done again it goes on, or finds that all is there."""
    state, store = read_run(arguments.run_folder), open_store(arguments.run_folder)
    address = str(arguments.address).rstrip("/")
    scheme, _, place = address.partition("://")
    if scheme not in BUCKET_SCHEMES or not place.strip("/"):
        allowed = ", ".join(f"{name}://BUCKET/FOLDER" for name in BUCKET_SCHEMES)
        raise ConfigError(f"ADDRESS is {arguments.address!r}; allowed: {allowed}")
    pointer = read_pointer(store)
    if pointer is None:
        raise ConfigError(f"RUN is {arguments.run_folder}: it holds no finished shards; run `clipstrata build` first")
    manifest = wanted_version(store, pointer.version if arguments.version is None else arguments.version)
    remote = BucketFolder(address, bucket_file_system(scheme, CorpusConfig.model_validate(state.config).fetch))
    try:
        done = _with_progress(store, manifest, remote, arguments.prune)
    except (BucketRefused, FileNotFoundError) as error:
        raise ConfigError(
            f"ADDRESS is {address}: {error}; allowed: a bucket that this "
            "machine's keys may write to; set keys as the cloud's own tools find them, an endpoint in `fetch.buckets` "
            "of the corpus file, and run it again: it goes on"
        ) from error
    sys.stdout.write(
        f"published: version {done.version} at {address}: {done.uploaded} files written "
        f"({done.uploaded_bytes / 1e6:,.1f} MB), {done.there} were there"
        f"{'' if done.is_latest else '; a later version is there and stays the latest'}\n"
    )
    for path in done.removed:
        sys.stdout.write(f"removed: {path}\n")
    if done.unlisted:
        sys.stdout.write(
            f"{len(done.unlisted)} files of shards there are in no version, the first {done.unlisted[0]}: an attempt "
            "was stopped, or another build is publishing; when none is, `--prune all` removes them\n"
        )
    return EXIT_DONE


def _with_progress(store: Store, manifest: Manifest, remote: BucketFolder, prune: PruneWhat) -> Published:
    columns = (TextColumn("publish"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("publish", total=sum(facts.bytes for facts in manifest.shards))
        return publish(store, manifest.version, remote, prune=prune, told=lambda size: progress.advance(bar, size))
