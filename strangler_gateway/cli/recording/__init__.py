"""The verbs record and replay: the monolith's answers into a file, and another server asked the same.

The file format and the comparison are in `strangler_gateway/recording/`.
"""
