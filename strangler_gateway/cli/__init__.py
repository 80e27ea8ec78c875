"""The `strangler` command: one module a group of verbs. It talks to the admin API; it holds no migration rule."""
