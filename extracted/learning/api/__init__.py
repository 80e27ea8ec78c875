"""Learning's HTTP edge: all routes as one application, and what the routes of its subjects share."""
