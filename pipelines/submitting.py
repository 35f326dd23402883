"""The ingest as one job that is sent and not waited for; `clipstrata build` of the same run takes up what it did.

It is what a Flex Template can hold: a template is one job, and a run's later stages stand on the files of this one.
"""

from __future__ import annotations

import sys
from typing import Any

from apache_beam.options.pipeline_options import GoogleCloudOptions

from curation.fetching import Reach
from curation.media.extras import require_extras
from curation.sources import check_source
from pipelines.dataflow import is_dataflow
from pipelines.engine import EngineOptions, EngineOptionsError, open_pipeline
from pipelines.ingest import add_ingest
from pipelines.ingest_stage import SPOOLED, ingest_job
from pipelines.inspecting import EXIT_DONE, Flags
from pipelines.run_folder import only_build, open_run
from schemas.corpus import CorpusConfig, load_corpus
from schemas.run import RunAddress


def run_submit(arguments: Any, flags: Flags) -> int:
    """Submit the ingest of a corpus and print where it went."""
    out = arguments.out
    sent = submit(load_corpus(arguments.corpus), out, EngineOptions(flags=flags, root=str(out)))
    sys.stdout.write(f"sent: {sent}; when it is done, `clipstrata build` with the same corpus and --out goes on\n")
    return EXIT_DONE


def submit(config: CorpusConfig, out: RunAddress, engine: EngineOptions, reach: Reach | None = None) -> str:
    """Send the ingest of a corpus to Dataflow, or write it as a template; return the job's id or the template's place.

    Raises:
        ConfigError: a source or the run folder is wrong.
        EngineOptionsError: the engine is another one, or cannot work with the options.
    """
    options = engine.to_beam()
    if not is_dataflow(options):
        raise EngineOptionsError(
            "submit is for an engine that goes on by itself; allowed: --runner=DataflowRunner; elsewhere use "
            "`clipstrata ingest`"
        )
    require_extras(config)
    for source in config.sources:
        check_source(source, config.fetch_of(source))
    run = open_run(config, out)
    with only_build(run.store) as run.held:
        run.drop_scratch(SPOOLED)
        pipeline = open_pipeline(engine)
        add_ingest(pipeline, ingest_job(run, reach or Reach()))
        result = pipeline.run()
    template = options.view_as(GoogleCloudOptions).template_location
    return str(template or result.job_id())
