"""How far the migration is, by the counters of all gateways: sums, rates over time, and how long the rest may take.

The admin API, the page and `strangler top` show the same of it.
"""
