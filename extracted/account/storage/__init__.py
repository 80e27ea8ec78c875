"""Where Account keeps purchases: tables of its own in the monolith's database, so that one transaction covers both."""
