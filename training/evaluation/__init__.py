"""What frozen encoders know: probes and retrieval on held-out clips. See docs/evaluation.md."""

from training.evaluation.shapes import ShapesOptions, answers, evaluate_shapes
from training.evaluation.subjects import EncoderSubject, ScorerSubject, Subject, SubjectFault
from training.evaluation.text import markdown_table

__all__ = [
    "EncoderSubject",
    "ScorerSubject",
    "ShapesOptions",
    "Subject",
    "SubjectFault",
    "answers",
    "evaluate_shapes",
    "markdown_table",
]
