"""The saga's states and steps, and a purchase's values. Pure."""
