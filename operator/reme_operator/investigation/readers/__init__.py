"""How each inspection is read: one module per inspection or family, imported by `inspector`.

A reader fetches raw data, within bounds of its own, and gives it to a pure function of
`reme_playbook.inspections` that says what it shows. It reads, and never writes.
"""
