"""Modules: what they are, their use cases, their routes. They name contents and other modules."""
