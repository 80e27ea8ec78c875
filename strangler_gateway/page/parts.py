"""What the handlers of the page share."""

from dataclasses import dataclass
from typing import Any

from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import Response

from strangler_gateway.admin.desk import AdminDesk
from strangler_gateway.migration.migration import Migration
from strangler_gateway.overview.ring import Ring
from strangler_gateway.page.entry.visitor import Visitor, Visitors
from strangler_gateway.page.render import html
from strangler_gateway.telemetry.stats import Stats


@dataclass(frozen=True, slots=True)
class PageParts:
    desk: AdminDesk
    visitors: Visitors
    templates: Environment

    @property
    def migration(self) -> Migration:
        """The controller of moves."""
        return self.desk.migration

    @property
    def stats(self) -> Stats:
        """What all gateways had counted at the last sample."""
        return self.desk.sampler.counted.total

    @property
    def recent(self) -> Ring:
        """The last minutes."""
        return self.desk.sampler.history.fine

    @property
    def ui(self) -> Any:
        """The macros of parts.html."""
        return self.templates.get_template("parts.html").module

    def show(
        self, request: Request, visitor: Visitor | None, template: str, status: int = 200, **values: Any
    ) -> Response:
        """A page for a visitor; None: nobody is logged in."""
        common = {
            "gateway": self.desk.parts.settings.name,
            "visitor": visitor,
            "status": status,
            "can_log_in": self.visitors.can_log_in,
            "here": request.url.path,
            "address": _local(request),
            "notice": visitor.notice() if visitor is not None else "",
        }
        return html(request, self.templates.get_template(template).render(common | values), status)


def _local(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")
