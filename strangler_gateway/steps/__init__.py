"""The way of a request: one small class a step, all of them in one list. A step holds no socket and no parser."""
