"""The routes for contents, and the shapes of their bodies."""
