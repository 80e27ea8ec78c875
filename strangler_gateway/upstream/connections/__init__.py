"""HTTP/1.1 to one instance: the pool, its connections, the call that a connection carries.

No choice between instances, no rule of routes.
"""
