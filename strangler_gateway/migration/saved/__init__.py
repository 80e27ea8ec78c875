"""Files of the state directory that outlive the process: whole files, and the counters in one of them.

No rule of the migration, and not the journal (`journal/`).
"""
