"""The `strangler` command: one module for each group of verbs.

It calls the admin API and prints the answers; migration rules stay in the gateway.
"""
