"""The API on the admin port: credentials, bodies, views. Moves go through `migration`; nothing is decided here."""
