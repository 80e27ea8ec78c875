"""The routes for modules."""
