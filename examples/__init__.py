"""Example programs: the stand-in monolith and its runner, the demo, services to copy. No product imports them."""
