"""One file per noun; each finds, calls one verb, commits, answers."""
