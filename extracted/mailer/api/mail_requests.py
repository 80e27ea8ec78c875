"""POST /mails: a service asks for a mail, with a key that makes a repetition safe."""

import re
from collections.abc import Iterator
from functools import partial
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from chassis.auth.credentials import Endpoint, refused
from extracted.mailer.api import bodies
from extracted.mailer.api.bodies import BodyInvalid, BodyTooLarge
from extracted.mailer.domain import Mail
from extracted.mailer.ports import KeyUsed, RequestInvalid
from extracted.mailer.service import Intake

FIELDS: Final = ("kind", "recipient", "locale", "variables")
_KEY = re.compile(r"[\x21-\x7e]{1,200}")


def routes(intake: Intake) -> Iterator[tuple[str, str, Endpoint]]:
    """Method, path, endpoint."""
    yield "POST", "/mails", partial(_ask, intake)


async def _ask(intake: Intake, request: Request) -> Response:
    try:
        mail = await _mail(intake, request)
    except (BodyInvalid, RequestInvalid) as error:
        return refused(400, str(error))
    except KeyUsed:
        return refused(409, "the Idempotency-Key belongs to a request for another mail; wanted a new one")
    except BodyTooLarge as error:
        return refused(413, str(error))
    where = {"Location": f"/mails/{mail.id}"}
    return JSONResponse({"id": mail.id, "state": mail.state}, 202, where)


async def _mail(intake: Intake, request: Request) -> Mail:
    keys = request.headers.getlist("idempotency-key")
    if len(keys) != 1 or not _KEY.fullmatch(keys[0]):
        raise BodyInvalid("wanted one Idempotency-Key of 1 to 200 visible ASCII characters")
    body = await bodies.read(request, FIELDS)
    kind, recipient = bodies.text(body, "kind", 100), bodies.text(body, "recipient", 1000)
    locale = None if body.get("locale") is None else bodies.text(body, "locale", 100)
    variables = body.get("variables")
    if not isinstance(variables, dict):
        raise BodyInvalid("variables must be an object of texts by name")
    return await intake.templated(f"api:{keys[0]}", kind, recipient, locale, variables)
