"""From a request's values to a whole message. Pure, but for reading the templates once."""
