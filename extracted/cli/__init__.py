"""`polycode`, the command for operators: it uses only the HTTP APIs of the services, and imports none of them."""
