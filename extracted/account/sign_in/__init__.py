"""Log-in and access tokens. Who issues them is behind a port: the monolith's tables, or an identity server."""
