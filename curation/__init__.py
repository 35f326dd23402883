"""The logic: sources, media, texts, scores, histograms, tiers, duplicates, packing. No Beam, no argparse."""
