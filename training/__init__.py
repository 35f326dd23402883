"""PyTorch on the shards: data -> model -> two stages -> frozen encoder -> evaluation. Never imports Beam."""

from curation.threads import SPINS as SPINS
