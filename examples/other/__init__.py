"""A monolith of another kind, and a service extracted from it: the gateway knows neither."""
