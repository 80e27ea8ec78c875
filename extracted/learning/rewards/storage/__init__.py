"""Rewards in Learning's own tables, which lie beside the monolith's in one database."""
