"""routes.yaml on the disk: reads its wishes, writes flips into it and keeps its comments."""
