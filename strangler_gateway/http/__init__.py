"""HTTP/1.1 as bytes and values (RFC 9110, 9112, 6455): heads, fields, chunks, frames. No route, no service."""
