"""`serve --reuse-port`: a new process takes over from the one that runs, on one host, without a lost request.

The listening sockets themselves are passed on, so that no connection that waits in their queues is reset. Messages are
JSON of plain words: the two processes may be of two versions.
"""
