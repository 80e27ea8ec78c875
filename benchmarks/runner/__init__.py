"""`make bench-runner`: programs of learners, over HTTP and bare."""
