"""A SentencePiece model of eleven pieces."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers.convert_slow_tokenizer import import_protobuf

SPACE = "\u2581"
# piece, score, type as SentencePiece numbers them: 1 normal, 2 unknown, 3 control, 4 user-defined, 6 byte
PIECES = [
    ("<pad>", 0.0, 3),
    ("</s>", 0.0, 3),
    ("<unk>", 0.0, 2),
    (SPACE, -4.0, 1),
    (".", -3.0, 1),
    (f"{SPACE}red", -2.0, 1),
    (f"{SPACE}r", -3.5, 1),
    ("ed", -3.5, 1),
    (f"{SPACE}dog", -2.5, 1),
    ("s", -3.0, 1),
    ("d", -5.0, 1),
]


def spm_file(folder: Path, change: Callable[[Any], None] = lambda proto: None) -> Path:
    """Write a small unigram model."""
    proto = import_protobuf().ModelProto()
    for piece, score, kind in PIECES:
        proto.pieces.add(piece=piece, score=score, type=kind)
    proto.trainer_spec.model_type = 1
    proto.trainer_spec.unk_id, proto.trainer_spec.bos_id, proto.trainer_spec.eos_id = 2, -1, 1
    proto.normalizer_spec.add_dummy_prefix = True
    proto.normalizer_spec.remove_extra_whitespaces = True
    change(proto)
    path = folder / "words.model"
    path.write_bytes(proto.SerializeToString())
    return path
