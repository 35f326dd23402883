"""The command line of clipstrata: argv -> config -> job -> tables -> exit code, and nothing else.

Exit codes: 0 done; 1 the run finished but a check or a limit failed; 2 the input or configuration is wrong;
130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

EXIT_DONE, EXIT_CHECK_FAILED, EXIT_WRONG_INPUT, EXIT_INTERRUPTED = 0, 1, 2, 130

Command = Callable[[argparse.Namespace, tuple[str, ...]], int]


def inspecting(name: str, module: str = "pipelines.inspecting") -> Command:
    """Return a command of a module, which is imported when it runs: `--help` waits for nothing."""

    def run(arguments: argparse.Namespace, flags: tuple[str, ...]) -> int:
        return int(getattr(importlib.import_module(module), name)(arguments, flags))

    return run


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    logging.basicConfig(level=logging.ERROR, format="%(message)s", stream=sys.stderr)
    logging.getLogger("clipstrata").setLevel(logging.INFO)
    own, beam_flags = split_flags(list(sys.argv[1:] if argv is None else argv))
    parser = make_parser()
    arguments, rest = parser.parse_known_args(own)
    words = join_values(rest)
    foreign = [word for word in words if word.startswith("--")]
    stray = [word for word in words if not word.startswith("--")]
    after = join_values(beam_flags)
    stray += [word for word in after if not word.startswith("--")]
    if stray or ([*foreign, *after] and not arguments.takes_beam_flags):
        parser.error(f"unknown argument {[*stray, *foreign, *after][0]!r}; see `clipstrata {arguments.command} --help`")
    try:
        return int(arguments.run(arguments, (*foreign, *after)))
    except KeyboardInterrupt:
        logging.getLogger("clipstrata").info("interrupted; the same command goes on where it stopped")
        return EXIT_INTERRUPTED
    except _config_errors() as error:
        sys.stderr.write(f"clipstrata: {error}\n")
        return EXIT_WRONG_INPUT
    except (*_training_errors(), *_job_errors()) as error:
        sys.stderr.write(f"clipstrata: {error}\n")
        return EXIT_CHECK_FAILED
    except _bucket_errors() as error:
        sys.stderr.write(f"clipstrata: {sys.modules['curation.stores'].bucket_words(error)}\n")
        return EXIT_WRONG_INPUT


def run_address(text: str) -> Path | str:
    """Return where a run lies: an address of a bucket as it is, anything else as a path of this machine."""
    return text.rstrip("/") if "://" in text else Path(text)


def local_folder(text: str) -> Path:
    """Return a path of this machine.

    Raises:
        argparse.ArgumentTypeError: it is an address.
    """
    if "://" in text:
        raise argparse.ArgumentTypeError(f"{text} is an address; allowed here: a folder of this machine")
    return Path(text)


def split_flags(argv: list[str]) -> tuple[list[str], tuple[str, ...]]:
    """Return what stands before `--`, and Beam's own flags after it."""
    if "--" not in argv:
        return argv, ()
    position = argv.index("--")
    return argv[:position], tuple(argv[position + 1 :])


def join_values(words: Sequence[str]) -> list[str]:
    """Return words with `--name value` written as `--name=value`."""
    joined: list[str] = []
    for word in words:
        if joined and not word.startswith("--") and joined[-1].startswith("--") and "=" not in joined[-1]:
            joined[-1] = f"{joined[-1]}={word}"
        else:
            joined.append(word)
    return joined


def _config_errors() -> tuple[type[Exception], ...]:
    from curation.scorers import ScorerUnavailable
    from pipelines.finished import StageNotReady
    from pipelines.flags import EngineOptionsError
    from schemas.config_file import ConfigError

    return ConfigError, EngineOptionsError, ScorerUnavailable, StageNotReady, *_training_input_errors()


def _training_input_errors() -> tuple[type[Exception], ...]:
    """What is wrong before a training starts; torch is loaded only where it already was."""
    if "training" not in sys.modules:
        return ()
    from training.data import CacheRefused, ManifestRefused, NothingToTrainOn, SourceTooSmall

    return CacheRefused, ManifestRefused, NothingToTrainOn, SourceTooSmall


def _training_errors() -> tuple[type[Exception], ...]:
    """What can stop a training or an evaluation; asked for only when something was raised, empty where neither ran."""
    if "training" not in sys.modules:
        return ()
    from training.data import ClipRefused, ShardRefused
    from training.evaluation import SubjectFault
    from training.loop import TrainingStopped

    return ClipRefused, ShardRefused, SubjectFault, TrainingStopped


def _bucket_errors() -> tuple[type[Exception], ...]:
    """What a bucket that is not there, or not ours, raises; asked for only when something was raised."""
    if "curation.stores" not in sys.modules:
        return ()
    from curation.bucket_folder import BucketRefused

    return (BucketRefused,)


def _job_errors() -> tuple[type[Exception], ...]:
    """What stops a job that is to be run again; asked for only when something was raised."""
    from curation.store import StoreConflict, StoreDamage, StoreHeld

    if not {"pipelines.stages", "pipelines.ingest_stage"} & sys.modules.keys():
        return StoreConflict, StoreDamage, StoreHeld
    from curation.row_spool import RowsLostError
    from pipelines.flink import JobFailed
    from pipelines.ingest_stage import IngestStopped

    return IngestStopped, JobFailed, RowsLostError, StoreConflict, StoreDamage, StoreHeld


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(prog="clipstrata", description=__doc__, allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, run: Command, words: str, *, takes_beam_flags: bool = False) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=words, description=words, allow_abbrev=False)
        command.set_defaults(run=run, takes_beam_flags=takes_beam_flags)
        return command

    _add_job_commands(add)
    _add_run_commands(add)
    _add_comparing_commands(add)
    _add_source_commands(add)
    _add_training_commands(add)
    _add_handoff_commands(add)
    _add_plan_command(add)
    return parser


def _add_job_commands(add: Callable[..., argparse.ArgumentParser]) -> None:
    words = "the whole main job on the built-in world; ends with a page to open"
    demo = add("demo", run_demo, words, takes_beam_flags=True)
    demo.add_argument("--out", type=local_folder, default=Path("demo-run"), help="run folder (default: demo-run)")
    demo.add_argument("--clips", type=int, default=None, help="size of the world in clips (default: 3000)")
    demo.add_argument("--steps", type=int, default=None, help="of each training stage (default: 600 and 240)")
    demo.add_argument("--no-training", action="store_true", help="stop when the shards are written and verified")
    jobs = {
        "build": "ingest, judge and shard a corpus; goes on with an unfinished run by itself",
        "ingest": "read, cut and score the sources",
        "judge": "histograms, tiers, duplicates and the selection; reads no media",
        "shard": "write the selection as webdataset tars and commit a manifest",
    }
    for name, words in jobs.items():
        job = add(name, run_job, f"{words}. Beam's own options follow after --", takes_beam_flags=True)
        job.add_argument("corpus", type=Path, metavar="CORPUS.yaml")
        job.add_argument("--out", type=run_address, required=True, metavar="RUN", help="a folder, or s3:// or gs://")
        if name != "ingest":
            words = "cuts that a run's page exported, in place of the corpus file's"
            job.add_argument("--cuts", type=Path, default=None, metavar="FILE", help=words)
    words = (
        "send the ingest to Dataflow and wait for nothing; `build` takes up what it did. Beam's options follow after --"
    )
    submit = add("submit", inspecting("run_submit", "pipelines.submitting"), words, takes_beam_flags=True)
    submit.add_argument("corpus", type=Path, metavar="CORPUS.yaml")
    submit.add_argument(
        "--out", type=run_address, required=True, metavar="RUN", help="run folder, which workers can reach"
    )
    replay = add("replay", run_replay, "a run's rejects again, and only those", takes_beam_flags=True)
    replay.add_argument("run_folder", type=run_address, metavar="RUN")
    replay.add_argument("--reason", default=None, metavar="CODE", help="default: all that a second attempt may cure")
    words = "remove what a file names, and all that was made of it, for good"
    takedown = add("takedown", inspecting("run_takedown", "pipelines.taking_down"), words, takes_beam_flags=True)
    takedown.add_argument("run_folder", type=run_address, metavar="RUN")
    takedown.add_argument("--ids", type=Path, required=True, metavar="FILE", help="one a line: docs/takedown.md")
    words = "the next of its duplicates stands for it (default), or all of them go"
    takedown.add_argument("--copies", choices=("promote", "remove"), default="promote", help=words)
    takedown.add_argument("--time", default=None, metavar="TEXT", help="when it was asked for; stands in the receipt")
    takedown.add_argument("--dry-run", action="store_true", help="say what it would touch, and do nothing")
    takedown.add_argument("--json", action="store_true", help="print JSON only")


def _add_run_commands(add: Callable[..., argparse.ArgumentParser]) -> None:
    stats = add("stats", inspecting("run_stats"), "ledgers, scores per source, tiers, duplicates, rejects")
    labels = add("labels", inspecting("run_labels"), "what people said of a run's clips, as a table")
    page = add("dashboard", inspecting("run_dashboard"), "the page over a run's statistics")
    words = "exit 0 only if everything on disk is what the manifest says"
    verify = add("verify", inspecting("run_verify"), words)
    diff = add("diff", inspecting("run_diff", "pipelines.versions"), "what differs between two versions of the shards")
    prune = add("prune", inspecting("run_prune", "pipelines.versions"), "remove old versions of the shards")
    publish = add("publish", inspecting("run_publish", "pipelines.publishing"), "bring a version's shards to a bucket")
    for command in (stats, labels, page, verify, diff, prune, publish):
        command.add_argument("run_folder", type=run_address, metavar="RUN")
    publish.add_argument("address", metavar="ADDRESS", help="s3://BUCKET/FOLDER or gs://BUCKET/FOLDER")
    publish.add_argument("--version", type=int, default=None, metavar="N", help="of the manifest (default: newest)")
    words = "remove earlier versions there that the run does not have; `all`: also shards that no version there lists"
    choices = {"nargs": "?", "choices": ("versions", "all"), "const": "versions", "default": "nothing"}
    publish.add_argument("--prune", help=words, **choices)
    diff.add_argument("before", metavar="vA")
    diff.add_argument("after", metavar="vB")
    prune.add_argument("--keep", type=int, required=True, metavar="N", help="how many versions stay")
    for command in (stats, verify, diff):
        command.add_argument("--json", action="store_true", help="print JSON only")
    stats.add_argument("--openmetrics", type=Path, default=None, metavar="FILE", help="write metrics for Prometheus")
    stats.add_argument("--csv", type=Path, default=None, metavar="DIR", help="write each table as a CSV file")
    labels.add_argument("--out", type=Path, required=True, metavar="FILE", help="a .csv or .parquet file")
    page.add_argument("--html", type=Path, default=None, metavar="FILE", help="write it here, not into RUN/report")
    page.add_argument("--against", type=run_address, default=None, metavar="RUN0", help="a run to compare with")
    page.add_argument("--serve", action="store_true", help="serve it with its clips; people can label them")
    page.add_argument("--port", type=int, default=8765, help="of --serve (default: 8765)")
    page.add_argument("--host", default="127.0.0.1", help="of --serve (default: this machine only)")
    words = "decode as many clips, chosen by their digests, or `all` (default: 16)"
    verify.add_argument("--decode", default="16", metavar="N", help=words)
    verify.add_argument("--clean", action="store_true", help="remove what no manifest, unit or sample owns")
    hashes = add("hashes", inspecting("run_hashes"), "hashes of a benchmark's videos, to decontaminate against")
    hashes.add_argument("folder", type=Path, metavar="FOLDER")
    hashes.add_argument("--out", type=Path, required=True, metavar="FILE")


def _add_comparing_commands(add: Callable[..., argparse.ArgumentParser]) -> None:
    words = "how a run's scores differ from another's, source by source"
    compare = add("compare", inspecting("run_compare"), words)
    compare.add_argument("run_folder", type=run_address, metavar="RUN")
    compare.add_argument("against", type=run_address, metavar="RUN0")
    words = "exit 1 when a run drifted from another one further than limits allow"
    check = add("check", inspecting("run_check"), words)
    check.add_argument("run_folder", type=run_address, metavar="RUN")
    check.add_argument("--against", type=run_address, required=True, metavar="RUN0")
    check.add_argument("--limits", type=Path, required=True, metavar="FILE", help="docs/statistics.md shows one")
    for command in (compare, check):
        command.add_argument("--json", action="store_true", help="print JSON only")
    merge = add("merge-stats", inspecting("run_merge_stats"), "the statistics of several runs as one")
    merge.add_argument("run_folders", type=run_address, nargs="+", metavar="RUN")
    merge.add_argument("--out", type=run_address, required=True, metavar="DIR")


def _add_source_commands(add: Callable[..., argparse.ArgumentParser]) -> None:
    words = "the formats that sources can have, and what a file of one holds"
    sources = add("sources", inspecting("run_sources"), words)
    sources.add_argument("--json", action="store_true", help="print JSON only")
    actions = sources.add_subparsers(dest="action", metavar="check")
    words = "read a file, or a pattern of files, as one format: counts, first rows, problems"
    check = actions.add_parser("check", help=words, description=words, allow_abbrev=False)
    check.set_defaults(run=inspecting("run_sources_check"))
    check.add_argument("location", metavar="FILE", help="a file, a folder, a pattern with *, or an address")
    check.add_argument("--format", required=True, metavar="X", help="one of those that `clipstrata sources` lists")
    check.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON only")
    words = "for tables: locator, start, end, time_unit or a kind of text = column; the rest is guessed"
    check.add_argument("--column", action="append", default=[], metavar="WHAT=NAME", help=words)
    words = "a csv or tsv file has no header row: its columns, with commas between them"
    check.add_argument("--column-names", default="", metavar="A,B,C", help=words)
    check.add_argument("--media-root", default=None, metavar="DIR", help="where locators start (default: its folder)")
    check.add_argument("--part", default=None, help="which view of a media pack")
    check.add_argument("--rows", type=int, default=5, help="how many rows to show (default: 5)")
    check.add_argument("--limit", type=int, default=None, help="stop after as many rows (default: read all)")


def _add_training_commands(add: Callable[..., argparse.ArgumentParser]) -> None:
    train = add("train", run_train, "train stage 1 or 2 on a run's shards; goes on from its newest checkpoint")
    train.add_argument("config", type=Path, metavar="CONFIG.yaml")
    export = add("export", run_export, "write the frozen encoder of a checkpoint as a folder that transformers opens")
    words = "a stage's folder, or one of its checkpoints"
    export.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help=words)
    export.add_argument("--out", type=Path, required=True, metavar="DIR")
    convert = add("convert", run_convert, "published VideoPrism weights, or those of transformers, as a model's folder")
    words = "a published .npz, a .safetensors of transformers, or a folder with one"
    convert.add_argument("weights", type=local_folder, metavar="WEIGHTS", help=words)
    words = "its sizes: base, large, ..., or a JSON file; needed where no config.json lies beside the weights"
    convert.add_argument("--config", default=None, metavar="NAME|FILE.json", help=words)
    words = "the SentencePiece model of a video-text model's texts; goes into the folder too"
    convert.add_argument("--tokenizer", type=Path, default=None, metavar="FILE.model", help=words)
    convert.add_argument("--out", type=local_folder, required=True, metavar="DIR")
    evaluate = add("evaluate", run_evaluate, "what frozen encoders can do, beside chance and a random encoder")
    words = "a run with trained stages, or an encoder folder"
    evaluate.add_argument("path", type=local_folder, metavar="PATH", help=words)
    evaluate.add_argument("--suite", choices=("shapes",), default="shapes", help="shapes: the built-in world, held out")
    evaluate.add_argument("--seed", type=int, default=1, help="of the held-out clips and the probes (default: 1)")
    evaluate.add_argument("--json", action="store_true", help="print JSON only")


def _add_handoff_commands(add: Callable[..., argparse.ArgumentParser]) -> None:
    handoff = add("handoff", run_handoff, "what other trainers want beside a run's shards (docs/handoff.md)")
    plan = add("plan-training", run_plan_training, "which loader gets a shard, what is dropped, how long an epoch is")
    for command in (handoff, plan):
        command.add_argument("run_folder", type=run_address, metavar="RUN")
        command.add_argument("--version", type=int, default=None, metavar="N", help="of the manifest (default: newest)")
        words = "a source's part of the steps (default: the sums of its samples' weights)"
        command.add_argument("--mixture", action="append", default=[], metavar="SOURCE=PART", help=words)
    handoff.add_argument("--out", type=local_folder, default=None, metavar="DIR", help="default: RUN/handoff")
    handoff.add_argument("--batch", type=int, default=256, metavar="B", help="of the launch files (default: 256)")
    handoff.add_argument("--published", default=None, metavar="DATE", help="datePublished of croissant.json")
    handoff.add_argument("--url", default=None, help="where the data set is described, for croissant.json")
    plan.add_argument("--nodes", type=int, required=True, metavar="N")
    plan.add_argument("--processes", type=int, default=1, metavar="P", help="training processes of a node (default: 1)")
    plan.add_argument("--loaders", type=int, required=True, metavar="W", help="loader workers of a process")
    plan.add_argument("--batch", type=int, required=True, metavar="B", help="samples in a batch of a process")
    plan.add_argument("--json", action="store_true", help="print JSON only")


def _add_plan_command(add: Callable[..., argparse.ArgumentParser]) -> None:
    plan = add("plan", inspecting("run_plan", "pipelines.costs"), "core hours, bytes and limits of a build to come")
    plan.add_argument("corpus", type=Path, metavar="CORPUS.yaml")
    plan.add_argument("--clips", type=int, default=None, metavar="N", help="how many are expected")
    words = "a finished run of the same kind: its clips are taken as they are, times --clips"
    plan.add_argument("--pilot", type=run_address, default=None, metavar="RUN", help=words)
    plan.add_argument("--clip-seconds", type=float, default=10.0, metavar="S", help="length of a clip (default: 10)")
    plan.add_argument("--clips-per-video", type=float, default=1.0, metavar="N", help="default: 1")
    words = "of a video for each clip, what lies between clips included (default: the clip's own)"
    plan.add_argument("--decoded-seconds", type=float, default=None, metavar="S", help=words)
    plan.add_argument("--source-size", default="1280x720", metavar="WxH", help="of the videos (default: 1280x720)")
    plan.add_argument("--fps", type=float, default=25.0, help="of the videos (default: 25)")
    plan.add_argument("--machines", type=int, default=1, metavar="N", help="default: 1")
    plan.add_argument("--cores", type=int, default=8, metavar="C", help="of a machine (default: 8)")
    plan.add_argument("--core-price", type=float, default=None, metavar="PRICE", help="of a core for an hour")
    words = "what an accelerator reaches in practice; then it scores, and not the cores"
    plan.add_argument("--gpu-tflops", type=float, default=None, metavar="T", help=words)
    words = "what stragglers, lost workers and retries cost with 10 to 10,000 workers"
    plan.add_argument("--simulate", action="store_true", help=words)
    plan.add_argument("--json", action="store_true", help="print JSON only")


def run_demo(arguments: argparse.Namespace, flags: tuple[str, ...]) -> int:
    """Build the built-in world's corpus, verify the run, train both stages, export, evaluate and print the report."""
    from pipelines.demo import demo_config
    from pipelines.inspecting import verify

    out = arguments.out
    config = demo_config(out, clips=arguments.clips)
    code = _build(config, out, "build", flags) or verify(out, as_json=False, clean=False)
    return code if code or arguments.no_training else _train_demo(out, arguments.steps)


def _train_demo(out: Path, steps: int | None) -> int:
    from rich.console import Console

    from dashboard.terminal import print_training
    from pipelines.results import write_page
    from training.data import read_run_manifest
    from training.evaluation import ShapesOptions
    from training.recipe import demo_stages, run_recipe

    samples = sum(shard.samples for shard in read_run_manifest(out).shards)
    result = run_recipe(out, demo_stages(out, samples, steps), _world_scorer(), ShapesOptions())
    print_training(Console(), result.training, result.evaluation)
    sys.stdout.write(f"encoder: {result.exported.folder} (opens as transformers' VideoPrismVisionModel)\n")
    sys.stdout.write(f"page: {write_page(out, None)}\n")
    return EXIT_DONE


def _world_scorer() -> Any:
    from curation.scorers import WORLD_CLIP, load_open_clip

    return load_open_clip(WORLD_CLIP, None)


def run_train(arguments: argparse.Namespace, flags: tuple[str, ...]) -> int:
    """Train one stage, under torchrun with all its processes; the run's page shows it from then on."""
    from rich.console import Console

    from dashboard.terminal import print_training
    from pipelines.results import write_page
    from schemas.run import RUN_JSON
    from training.loop import is_first_process, load_train_config, train

    config = load_train_config(arguments.config)
    summary = train(config)
    if not is_first_process():
        return EXIT_DONE
    print_training(Console(), [summary], None)
    sys.stdout.write(f"checkpoints and metrics: {config.folder}\n")
    # The page of a run in a bucket shows no training: its checkpoints lie elsewhere.
    if isinstance(config.run_address, Path) and (config.run_address / RUN_JSON).is_file():
        sys.stdout.write(f"page: {write_page(config.run_address, None)}\n")
    return EXIT_DONE


def run_handoff(arguments: argparse.Namespace, flags: tuple[str, ...]) -> int:
    """Write a hand-off, and print what a training draws."""
    from pipelines.handoff import write_handoff
    from training.planning import shares_with

    return write_handoff(arguments, shares_with(arguments.batch, arguments.mixture))


def run_plan_training(arguments: argparse.Namespace, flags: tuple[str, ...]) -> int:
    """Print what a training draws; exit 1 when a loader gets no shard, or a process no whole batch."""
    from pipelines.inspecting import show_plan
    from training.planning import PlanOptions, plan_run

    options = PlanOptions(arguments.nodes, arguments.processes, arguments.loaders, arguments.batch)
    plan = plan_run(arguments.run_folder, arguments.version, options, arguments.mixture)
    return show_plan(plan, as_json=arguments.json)


def run_export(arguments: argparse.Namespace, flags: tuple[str, ...]) -> int:
    """Export a frozen encoder."""
    from training.frozen import export_checkpoint

    found = export_checkpoint(arguments.checkpoint, arguments.out)
    sys.stdout.write(f"encoder: {found.folder}: stage {found.stage}, weights {found.weights_sha256[:12]}\n")
    return EXIT_DONE


def run_convert(arguments: argparse.Namespace, flags: tuple[str, ...]) -> int:
    """Convert weights."""
    from training.convert import convert_weights

    found = convert_weights(arguments.weights, arguments.config, arguments.out, arguments.tokenizer)
    sys.stdout.write(
        f"{found.kind}: {found.folder}: {found.parameters:,} parameters, weights {found.weights_sha256[:12]} "
        "(opens in transformers)\n"
    )
    return EXIT_DONE


def run_evaluate(arguments: argparse.Namespace, flags: tuple[str, ...]) -> int:
    """Evaluate a run's stages or an encoder folder; a run's page shows it from then on."""
    from rich.console import Console

    from dashboard.terminal import print_training
    from pipelines.inspecting import print_json
    from pipelines.results import write_page
    from schemas.run import RUN_JSON
    from training.frozen import evaluate

    options = _shapes_options(arguments.seed)
    found = evaluate(arguments.path, _world_scorer(), options)
    if arguments.json:
        print_json(found.model_dump(mode="json"))
    else:
        print_training(Console(), [], found)
    if (arguments.path / RUN_JSON).is_file():
        write_page(arguments.path, None)
    return EXIT_DONE


def _shapes_options(seed: int) -> Any:
    from schemas.config_file import ConfigError
    from training.evaluation import ShapesOptions

    try:
        return ShapesOptions(seed=seed)
    except ValueError as error:
        raise ConfigError(f"--seed: {error}") from error


def run_job(arguments: argparse.Namespace, flags: tuple[str, ...]) -> int:
    """Run a build or one stage of it."""
    from pipelines.build import config_with_cuts
    from schemas.corpus import load_corpus

    config = load_corpus(arguments.corpus)
    if getattr(arguments, "cuts", None) is not None:
        config = config_with_cuts(config, arguments.cuts, arguments.out)
    return _build(config, arguments.out, arguments.command, flags)


def _build(config: Any, out: Path, command: str, flags: tuple[str, ...]) -> int:
    from pipelines.build import ALL_STAGES, build
    from pipelines.engine import EngineOptions

    stages = ALL_STAGES if command == "build" else (command,)
    return _print_build(build(config, out, EngineOptions(flags=flags, root=str(out)), stages=stages))


def _print_build(result: Any) -> int:
    from rich.console import Console

    from dashboard.shard_tables import print_shards
    from dashboard.terminal import print_rejects, print_report
    from schemas.run import REPORT_HTML

    console = Console()
    if result.statistics is not None:
        print_report(console, result.statistics, result.planted)
    elif result.limits_broken:
        print_rejects(console, result.rejects)
    if result.manifest is not None:
        print_shards(console, result.manifest)
        console.print(f"page: {result.run.root}/{REPORT_HTML}", soft_wrap=True)
    for line in result.limits_broken:
        sys.stderr.write(f"clipstrata: {line}\n")
    return EXIT_CHECK_FAILED if result.limits_broken else EXIT_DONE


def run_replay(arguments: argparse.Namespace, flags: tuple[str, ...]) -> int:
    """Work on a run's rejects again and bring its later stages up to date."""
    from rich.console import Console

    from dashboard.terminal import print_replay
    from pipelines.engine import EngineOptions
    from pipelines.replay import replay

    result = replay(arguments.run_folder, arguments.reason, EngineOptions(flags=flags, root=str(arguments.run_folder)))
    code = EXIT_DONE if result.built is None else _print_build(result.built)
    print_replay(Console(), result.marked.spans, result.before, result.after)
    return code


if __name__ == "__main__":
    sys.exit(main())
