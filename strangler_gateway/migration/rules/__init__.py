"""Whether a move is allowed, and the answer if it is not: preflight, readiness, the counts of all gateways, rules.

It judges and writes journal entries as values; it changes nothing (`enactment.py` does).
"""
