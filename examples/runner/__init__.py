"""The stand-in for the monolith's runner: runs programs that anybody sends. For tests only."""
