"""References to inside in a response become references to outside (gateway.md R10, R11). Pure."""

import re
from ipaddress import ip_address

from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.table.routes import Service, Side, authority_of

_REFERENCE = re.compile(rb"(?i)https?://([^/?#]*)(.*)", re.DOTALL)
_REFRESH = re.compile(rb"""(?i)[0-9. \t]*[;,][ \t]*url[ \t]*=[ \t]*(["']?)""")


def map_reference(exchange: Exchange, value: bytes, service: Service) -> bytes:
    """Location, Content-Location, Refresh: the internal origin becomes the public one; all else stays as it is."""
    refresh = _REFRESH.match(value)
    if refresh is None:
        return _outside(exchange, value, service)
    start, end = refresh.end(), len(value)
    if refresh[1] and end > start and value.endswith(refresh[1]):
        end -= 1
    return value[:start] + _outside(exchange, value[start:end], service) + value[end:]


def _outside(exchange: Exchange, reference: bytes, service: Service) -> bytes:
    found = _REFERENCE.fullmatch(reference)
    if found is not None:
        host, path = found.groups()
        if not _is_origin(host.lower(), service) or (service.host_policy == "preserve" and exchange.host == host):
            return reference
        scheme, host = exchange.public_scheme or exchange.scheme, exchange.public_host or exchange.host or host
        return b"%b://%b%b" % (scheme, host, _public_path(exchange, path, service))
    if reference.startswith(b"/") and not reference.startswith(b"//"):
        return _public_path(exchange, reference, service)
    return reference


def _is_origin(host: bytes, service: Service) -> bool:
    """Whether it is the service, or one of its instances."""
    if host == service.authority.lower():
        return True
    return any(host == authority_of(service.scheme, one.host, one.port).lower() for one in service.instances)


def _public_path(exchange: Exchange, path: bytes, service: Service) -> bytes:
    for inside, outside in _prefixes(exchange, service):
        if path == inside or path.startswith((inside + b"/", inside + b"?")):
            return (outside + path[len(inside) :]) or b"/"
    return path


def _prefixes(exchange: Exchange, service: Service) -> list[tuple[bytes, bytes]]:
    """(path prefix inside, prefix outside), longest first: the rewrite's literal beginning, then the base path."""
    side = Side.EXTRACTED if service is exchange.route.extracted else Side.LEGACY
    template = exchange.route.rewrite.legacy if side is Side.LEGACY else exchange.route.rewrite.extracted
    found = []
    if template is not None:
        found.append((service.base_path + _literal(template), _literal(exchange.route.path)))
    if service.base_path:
        found.append((service.base_path, b""))
    return [(inside, outside) for inside, outside in found if inside]


def _literal(template: str) -> bytes:
    return template.partition("{")[0].rstrip("/").encode()


def map_cookie(exchange: Exchange, value: bytes, service: Service) -> bytes:
    """Set-Cookie: a Domain that is the internal host goes; Path is mapped only where the path is (RFC 6265 §5.2)."""
    first, *attributes = value.split(b";")
    kept = [first]
    for attribute in attributes:
        name, mark, text = attribute.partition(b"=")
        lower = name.strip().lower()
        if lower == b"domain" and _is_internal(text.strip().lstrip(b"."), service):
            continue
        if lower == b"path" and mark:
            attribute = (
                name + mark + _public_path(exchange, text.strip(), service)
                if _prefixes(exchange, service)
                else attribute
            )
        kept.append(attribute)
    return b";".join(kept)


def _is_internal(domain: bytes, service: Service) -> bool:
    if domain.lower() in {host.lower().encode() for host in (service.host, *[one.host for one in service.instances])}:
        return True
    try:
        ip_address(domain.decode("latin-1"))
    except ValueError:
        return False
    return True
