"""The `strangler` command: one folder for each group of verbs, and what all of them share.

It calls the admin API and prints the answers; migration rules stay in the gateway.
"""
