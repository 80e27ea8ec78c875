"""Teams and their members. Nothing about purchases."""
