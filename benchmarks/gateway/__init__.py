"""`make bench`: the gateway against other proxies, and what each of its parts costs it."""
