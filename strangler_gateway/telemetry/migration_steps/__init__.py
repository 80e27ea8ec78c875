"""What one step of a group's migration has shown: requests, failures, differences, times, on both sides.

Counters that add up over processes and restarts; what they prove is decided in `strangler_gateway/evidence/`.
"""
