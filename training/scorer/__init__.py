"""How the small scorer that ships with clipstrata is made and measured: `python -m training.scorer --help`.

It is an open_clip model (a ModifiedResNet and a two-layer text transformer) trained on a world drawn in memory, with a
seed that the demo does not use. See docs/scorer.md.
"""
