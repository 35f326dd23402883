"""Taking things down: what an ids file asks for, what of a run that touches, and what must go afterwards.

`asked` reads the file; `resolve` says what it touches, and the list that keeps it out; `remains` finds what is gone
once the units are made again; `purge` removes what still holds it. The order of all that is `pipelines/takedown.py`.
"""
