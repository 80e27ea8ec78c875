"""routes.yaml on the disk: reads its wishes, watches and compares it, writes flips into it and keeps its comments.

Whether a wish is granted is decided in `rules/`.
"""
