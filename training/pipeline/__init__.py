"""One recipe, one command: the stages from checkpoints to a measured model folder, as a table.

`recipe` is what is wanted, `stages` the table, `plan` says which of them would run and why, `run`
runs them; `state` and `sums` are what one run leaves for the next.
"""
