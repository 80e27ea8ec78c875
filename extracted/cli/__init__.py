"""`polycode`: what operators of the services do, over their HTTP APIs alone."""
