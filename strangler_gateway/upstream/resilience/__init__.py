"""How a service is spared: a bulkhead with its queue, a breaker, the rule for retries.

It does not know instances or bytes: each decides about a call before or after it.
"""
