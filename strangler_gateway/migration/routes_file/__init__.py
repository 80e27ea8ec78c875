"""routes.yaml on disk: reading what it asks for, writing a flip into it with its comments kept."""
