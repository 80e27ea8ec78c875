"""Learning: modules, contents and their components, submissions."""
