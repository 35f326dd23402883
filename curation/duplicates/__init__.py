"""Clips that are the same or nearly: how they are found, grouped, and which of them are kept.

    clips, tasks          what a job reads, and the work of its tasks
    signatures, postings, collisions, frame_alignment, perceptual    copies by what they look like
    vectors, cells, cell_search, tiles, semantic                     clips that mean nearly the same
    overlap               clips whose spans overlap in one video
    texts                 texts that are nearly the same
    benchmarks            hashes of clips that must not be trained on
    edges, components     what joins contents, and the groups that edges make
    survivors             which samples of a group are kept, and whom one that is left out names

Groups know nothing of scores, rules and cuts: a changed cut moves no group.
"""

from curation.duplicates.edges import EdgeKind
from curation.duplicates.survivors import Candidate, Edge, GroupDecision, decide_group, keeper_order

__all__ = ["Candidate", "Edge", "EdgeKind", "GroupDecision", "decide_group", "keeper_order"]
