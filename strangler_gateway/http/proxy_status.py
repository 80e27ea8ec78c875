"""The error types of Proxy-Status (RFC 9209 §2.3) that this gateway tells."""

from typing import Literal

ErrorType = Literal[
    "connection_limit_reached",
    "connection_read_timeout",
    "connection_refused",
    "connection_terminated",
    "connection_timeout",
    "destination_ip_unroutable",
    "destination_unavailable",
    "dns_error",
    "http_protocol_error",
    "http_request_denied",
    "http_request_error",
    "http_response_header_section_size",
    "http_response_incomplete",
    "http_response_timeout",
    "http_response_transfer_coding",
    "http_upgrade_failed",
    "proxy_internal_error",
    "proxy_loop_detected",
    "tls_certificate_error",
    "tls_protocol_error",
]
