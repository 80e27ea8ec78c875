"""The road in: a first routes file from another proxy's configuration; guesses are comments, and what is not understood
is named with its line. Pure; reads no file.
"""
