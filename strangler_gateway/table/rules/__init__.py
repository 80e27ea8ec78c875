"""The values below a route or service of routes.yaml: `accept:`, `aggregate:`, `balance:`, `plan:`, `publish:` …

Immutable values of one key each; the route that holds them is in `routes.py`, their text is read in `config/`.
"""
