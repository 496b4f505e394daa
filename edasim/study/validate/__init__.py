"""`edasim validate`: the engine beside what is known exactly.

`laws.json` says what must hold; each law is tried by one or more trials (`case`), gathered by topic in the modules of
this package; `rules` says when a figure agrees, `running` runs them all, `page` writes docs/validation.md.
"""
