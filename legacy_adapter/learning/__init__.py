"""Learning's ports on the monolith's documents and users. Documents keep the shape that the monolith gives them."""
