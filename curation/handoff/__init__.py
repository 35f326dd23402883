"""Hand-off: what other trainers want beside the shards, made from a manifest. One module per reader; nothing is copied.

`links` names the shards once more without gaps, `selected` tells which samples they hold, `bundle` puts all files
together; docs/handoff.md shows how each is opened.
"""
