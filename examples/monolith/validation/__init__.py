"""Rules for request bodies, as class-validator applies them. Knows no route."""
