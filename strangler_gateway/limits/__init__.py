"""Rate limits: who is counted, the counters in memory and in Redis, and what clients are told.

Nothing here knows a request's way: the step `limit` asks, and answers.
"""
