"""Signs a report and checks it offline: a detached JWS (RFC 7515, appendix F) over its canonical JSON."""

import base64
from collections.abc import Mapping
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from strangler_gateway.retirement.document import ReportInvalid, canonical, parts

TYPE: Final = "strangler-report+jws"
"""So that no token can pass for a report, and no report for a token."""


def signed(report: Mapping[str, Any], keys: KeySet) -> dict[str, Any]:
    """The document: `report`, and `signature` by the first key."""
    key = keys.keys[0]
    header = {"alg": "ES256", "kid": key.thumbprint(), "typ": TYPE}
    head, _, mark = jws.serialize_compact(header, canonical(report), key, algorithms=["ES256"]).split(".")
    return {"report": report, "signature": f"{head}..{mark}"}


def verified(document: object, keys: KeySet) -> dict[str, Any]:
    """The report. Raises ReportInvalid."""
    report, signature = parts(document)
    head, _, rest = signature.partition(".")
    payload = base64.urlsafe_b64encode(canonical(report)).rstrip(b"=").decode()
    try:
        found = jws.deserialize_compact(f"{head}.{payload}{rest}", keys, algorithms=["ES256"])
    except (JoseError, ValueError, TypeError, KeyError) as exc:
        raise ReportInvalid(
            f"the signature does not fit ({type(exc).__name__}): the report was changed, or another gateway signed it"
        ) from exc
    if found.protected.get("typ") != TYPE:
        raise ReportInvalid(f"the signature is of a {found.protected.get('typ')!r}, not of a report")
    return report
