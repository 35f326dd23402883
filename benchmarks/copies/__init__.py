"""Planted copies and hard negatives: how well duplicates are found, kind by kind, beside the usual methods.

python -m benchmarks.copies.plant --work FOLDER [--size small|full]
python -m benchmarks.copies.measure --work FOLDER [--markdown FILE] [--json FILE]
"""
