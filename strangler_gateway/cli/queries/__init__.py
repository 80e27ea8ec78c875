"""The verbs that report: what stands where, why, how far the migration is, and the report of a retired group.

None of them moves a route.
"""
