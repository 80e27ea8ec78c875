"""Contract section 6: modules, contents, their components, submissions."""
