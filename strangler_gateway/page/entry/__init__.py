"""Who looks at the page: log-in, its limit, sessions, and whether a form was sent by the page itself."""
