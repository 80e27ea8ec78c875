"""Speaks to Consul: `Consul` (client.py, the one module that knows python-consul2), its settings, values and errors.

Only what an agent of 2017 and a current one both have is used. No decision of a deployable stands here.
"""
