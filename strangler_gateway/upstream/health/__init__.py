"""Whether an instance is fit for calls, as its own answers tell: states and outliers.

It asks nothing over the network; `health_checks.py` and the pools tell it.
"""
