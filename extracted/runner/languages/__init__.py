"""What can run: one file per language, and which of them is installed here. Nothing here runs a user's program."""
