"""Judging in columns: what groups of units add to a run's counts, and what is decided about their samples.

One group of units of one source is a few Arrow tables at a time. What must be known beyond a group is small and comes
from sums (`sums`), from ids that stand more than once (`repeats`), or from clips that share their bytes (`twins`):

    read -> rows      the columns that judging needs, of one group
    facts             one row per sample: its own text, the first rule that it breaks, its size
    twins             which sample of equal clips is kept
    yields -> cuts    what a cut would keep, and the cuts that the config asks for
    selection         tier, weight and shard bucket of each sample
"""
