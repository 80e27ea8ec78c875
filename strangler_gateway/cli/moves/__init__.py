"""The verbs that change where a group or route stands: flip, rollback, release, adopt, reload, and those of plans.

They ask the gateway, which decides; what only reports is in `queries/`.
"""
