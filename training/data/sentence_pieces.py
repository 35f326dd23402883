"""SentencePiece models as the published code uses them: canonical texts, unigram pieces, no end token."""

from __future__ import annotations

import json
import string
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers
from torch import Tensor

from training.data.token_files import padded

SCHEMA = "clipstrata.sentencepiece_tokenizer/1"
# of a SentencePiece model's file: sentencepiece_model.proto
UNIGRAM = 1
NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6
SPACE = "\u2581"
PUNCTUATION = str.maketrans(dict.fromkeys(string.punctuation, " "))


def canonical_text(text: str) -> str:
    """Return a text as the published tower reads it: punctuation as spaces, lower case, single spaces, a period."""
    return " ".join(text.translate(PUNCTUATION).lower().split()) + "."


class SentencePieceTokenizer:
    """Cuts texts to `max_tokens`, pads each batch to its longest text; a start token only where the model has one."""

    def __init__(self, tokenizer: Tokenizer, start: int | None, max_tokens: int) -> None:
        self._tokenizer = tokenizer
        self._start = start
        self._max_tokens = max_tokens

    @classmethod
    def of(cls, data: bytes, max_tokens: int) -> SentencePieceTokenizer:
        """Return the tokenizer of `to_bytes`.

        Raises:
            ValueError: the bytes are of something else.
        """
        try:
            document = json.loads(data)
            return cls(Tokenizer.from_str(json.dumps(document["tokenizer"])), document["start"], max_tokens)
        except Exception as error:  # the library raises nothing narrower
            raise ValueError(f"cannot be read ({error}); allowed: the tokenizer file of a checkpoint") from error

    @property
    def vocabulary(self) -> int:
        """How many ids there are."""
        return int(self._tokenizer.get_vocab_size())

    def __call__(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """See `TextTokenizer`; an empty text is a period."""
        first = [] if self._start is None else [self._start]
        encoded = self._tokenizer.encode_batch([canonical_text(text) for text in texts])
        return padded([[*first, *item.ids][: self._max_tokens] for item in encoded])

    def to_bytes(self) -> bytes:
        """Return the tokenizer's file."""
        document = {"schema": SCHEMA, "start": self._start, "tokenizer": json.loads(self._tokenizer.to_str())}
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def read_sentencepiece(path: Path, max_tokens: int) -> SentencePieceTokenizer:
    """Read a SentencePiece model's file; the published text towers go with `c4_en` (cc_en.32000).

    Raises:
        ValueError: it cannot be read, or is of a kind whose pieces would differ.
    """
    from transformers.convert_slow_tokenizer import import_protobuf  # slow to import, and seldom needed

    proto = import_protobuf().ModelProto()
    try:
        proto.ParseFromString(path.read_bytes())
    except Exception as error:  # the library's own error is not among its public names
        raise ValueError(f"{path}: cannot be read ({error}); allowed: a SentencePiece model's file") from error
    _check(path, proto)
    start = proto.trainer_spec.bos_id
    return SentencePieceTokenizer(_unigram(proto), start if start >= 0 else None, max_tokens)


def _check(path: Path, proto: Any) -> None:
    if not proto.pieces:
        raise ValueError(f"{path}: holds no pieces; allowed: a SentencePiece model's file; give that file")
    if proto.trainer_spec.model_type != UNIGRAM:
        raise ValueError(f"{path}: model_type is {proto.trainer_spec.model_type}; allowed: {UNIGRAM}, a unigram model")
    if proto.trainer_spec.treat_whitespace_as_suffix:
        raise ValueError(f"{path}: treat_whitespace_as_suffix is true; allowed: false; give another model")
    other = [piece.piece for piece in proto.pieces if piece.type not in (NORMAL, UNKNOWN, CONTROL, BYTE)]
    if other:
        raise ValueError(f"{path}: {other[0]!r} is user-defined or unused; allowed: no such pieces; give another model")


def _unigram(proto: Any) -> Tokenizer:
    """Return the same model for the tokenizers library."""
    pieces = [(piece.piece, piece.score) for piece in proto.pieces]
    trained, rules = proto.trainer_spec, proto.normalizer_spec
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=trained.unk_id, byte_fallback=trained.byte_fallback))
    steps: list[Any] = []
    if rules.precompiled_charsmap:
        steps.append(normalizers.Precompiled(rules.precompiled_charsmap))
    if rules.remove_extra_whitespaces:
        steps += [normalizers.Strip(), normalizers.Replace(Regex(" {2,}"), " ")]
    tokenizer.normalizer = normalizers.Sequence(steps)
    scheme = "always" if rules.add_dummy_prefix else "never"
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme=scheme)
    return tokenizer
