"""The client's side: listening sockets, and the connection that reads requests and writes responses."""
