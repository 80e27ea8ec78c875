"""Forms that browsers send: read within a limit, and only those that the page itself has made."""

import hmac
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request

from strangler_gateway.admin.requests import AdminRefusal

MAX_FORM = 16 * 1024
TOKEN = "form_token"  # noqa: S105  # the name of a field


async def fields(request: Request) -> Mapping[str, str]:
    """The fields of a form; of those with one name the last. Raises AdminRefusal."""
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > MAX_FORM:
            raise AdminRefusal(413, "too_long", f"the form has more than {MAX_FORM} bytes")
    try:
        parsed = parse_qs(data.decode(), keep_blank_values=True, max_num_fields=50)
    except ValueError:
        raise AdminRefusal(422, "invalid", "the form cannot be read") from None
    return {name: values[-1] for name, values in parsed.items()}


def check_origin(request: Request) -> None:
    """Every browser says which site a form comes from (Origin). Raises AdminRefusal for another site, or none."""
    origin, host = request.headers.get("origin", ""), request.headers.get("host", "")
    parts = urlsplit(origin)
    if parts.scheme not in ("http", "https") or not host or parts.netloc.lower() != host.lower():
        raise AdminRefusal(403, "origin", "the form was not sent by this page; open the page again and repeat it there")


def check_token(form: Mapping[str, str], wanted: str) -> None:
    """Raises AdminRefusal if the form was not made for this session."""
    if not hmac.compare_digest(form.get(TOKEN, "").encode(), wanted.encode()):
        raise AdminRefusal(403, "form", "the form is of another log-in; open the page again and repeat it there")


def is_secure(request: Request) -> bool:
    """Whether the browser speaks TLS, with the gateway or with a proxy in front of it."""
    return request.url.scheme == "https" or request.headers.get("origin", "").startswith("https://")
