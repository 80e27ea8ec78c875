"""The gateways that act as one, on the admin port: shown to people, and called by each other."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from chassis.service.metrics import Metric, gauge
from strangler_gateway.admin import views
from strangler_gateway.admin.bodies import Text
from strangler_gateway.admin.requests import AdminRefusal, body, caller
from strangler_gateway.cluster.member import ClusterMember
from strangler_gateway.cluster.peers import PeerAway, clock_time
from strangler_gateway.cluster.record import RollbackName
from strangler_gateway.cluster.record_json import RecordInvalid, digest, name_shown, parse_name
from strangler_gateway.cluster.store import StoreAway
from strangler_gateway.joined import Joined
from strangler_gateway.migration.journal.journal_entry import iso
from strangler_gateway.migration.migration import Migration
from strangler_gateway.migration.rules.shared_counts import SharedCounts
from strangler_gateway.overview.totals import Totals
from strangler_gateway.table.position import Position, place

View = dict[str, Any]
Names = Annotated[dict[str, Annotated[str, Field(max_length=100)]], Field(max_length=1000)]
Ids = Annotated[dict[str, Annotated[str, Field(max_length=100)]], Field(max_length=10_000)]


class GatewayCall(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class CountsQuestion(GatewayCall):
    """For which movables another gateway asks."""

    units: list[str] = Field(max_length=10_000)


class FailuresQuestion(GatewayCall):
    """By movable, routes whose users count again; null: all."""

    forget: dict[str, Annotated[list[str], Field(max_length=10_000)] | None] = Field(max_length=10_000)


class TotalsQuestion(GatewayCall):
    """`users`: with the sketches that tell how many there were; `durations`: with the histograms."""

    users: bool = False
    durations: bool = False


class DifferencesQuestion(GatewayCall):
    """Of which route."""

    route: str = Field(max_length=300)


class GuardQuestion(GatewayCall):
    """Of which movable."""

    unit: str = Field(max_length=300)


class GuardTold(GatewayCall):
    """Who watches a movable there after a move, and how that ended."""

    until: str
    state: str
    alarm: str | None


class CountTogether(GatewayCall):
    """The ids of all counters that begin anew together."""

    together: Ids


class PassedOn(GatewayCall):
    """Rollbacks of another gateway: by movable, their names."""

    units: Names
    who: str = Field("", max_length=200)
    why: Text = ""


class AutomaticRollback(GatewayCall):
    """What a guard has seen. `record`: the digest of the record that it judged."""

    unit: str
    who: str = Field("", max_length=200)
    why: Text = ""
    evidence: dict[str, Any] = {}
    record: str


class Forgotten(BaseModel):
    """A gateway that has stopped for good."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=100)
    who: str = Field("", max_length=100)
    why: Text = ""


class GatewayTokens(Protocol):
    """Knows the tokens of other gateways."""

    def gateway_of(self, token: str) -> str | None:
        """Whose it is; None: it is none."""
        ...


class Gateways:
    """`joined` None: this gateway is alone; then only the list answers."""

    def __init__(
        self,
        joined: Joined | None,
        counts: SharedCounts | None,
        migration: Migration,
        tokens: GatewayTokens | None,
        totals: Totals,
    ) -> None:
        self._joined, self._counts, self._migration, self._tokens = joined, counts, migration, tokens
        self._totals = totals

    @property
    def calls(self) -> Mapping[str, Callable[[Request], Awaitable[Response]]]:
        """What other gateways call, by the last part of the path."""
        return {
            "counts": self.counts,
            "anew": self.anew,
            "run": self.run,
            "totals": self.totals,
            "differences": self.differences,
            "guard": self.guard,
            "rollback": self.passed_on,
            "automatic": self.automatic,
            "failures": self.failures,
        }

    async def listed(self, request: Request) -> Response:
        return JSONResponse(self.listing())

    def listing(self) -> View:
        """Every gateway: where it is, when it was seen, and what it serves other than this one."""
        if self._joined is None:
            return {"store": None, "gateways": [], "agreed": True, "problem": None}
        members = self._joined.members
        records = self._records()
        rows = [self._row(one, records) for one in sorted([members.me_now, *members.others], key=lambda one: one.name)]
        agreed = not any(row["lagging"] for row in rows) and len(rows) > 1 and members.twofold is None
        return {"store": store(self._joined), "gateways": rows, "agreed": agreed, "problem": members.twofold}

    def metrics(self) -> Sequence[Metric]:
        """Of the store and of the gateways that share it; none if this one is alone."""
        if self._joined is None:
            return ()
        members, one, records = self._joined.members, self._joined.store, self._records()
        lagging = sum(bool(self._lagging(other, records)) for other in members.others)
        return store_metrics(one.away_since is None, len(members.others) + 1, lagging, one.driver == members.me.name)

    async def forget(self, request: Request) -> Response:
        """Deletes the key of a gateway."""
        asked = await body(request, Forgotten)
        joined = self._wanted()
        if asked.name == joined.members.me.name:
            raise AdminRefusal(422, "invalid", f"{asked.name} answers you: it runs, and cannot be forgotten")
        if asked.name not in {one.name for one in joined.members.others}:
            raise AdminRefusal(404, "unknown", f"no gateway is called {asked.name!r}; `strangler gateways` lists them")
        try:
            await joined.members.forget(asked.name)
        except StoreAway as exc:
            raise AdminRefusal(503, "store", f"{asked.name} is not forgotten: {exc}") from None
        await self._migration.forgotten(asked.name, caller(request, asked.who), asked.why)
        return JSONResponse({"forgotten": asked.name, "message": f"{asked.name} is forgotten; no move waits for it"})

    async def counts(self, request: Request) -> Response:
        """This gateway's counters of some movables."""
        asked = await self._asked(request, CountsQuestion)
        assert self._counts is not None  # it is joined
        try:
            return JSONResponse(await self._counts.answer(asked.units))
        except KeyError as exc:
            raise AdminRefusal(404, "unknown", f"the routes file of this gateway has no {exc.args[0]!r}") from None

    async def failures(self, request: Request) -> Response:
        """What rule 2 counts here of some movables."""
        asked = await self._asked(request, FailuresQuestion)
        return JSONResponse({"units": self._migration.failures.tell(asked.forget)})

    async def totals(self, request: Request) -> Response:
        """Everything that this gateway has counted."""
        asked = await self._asked(request, TotalsQuestion)
        return JSONResponse(await self._totals.row(users=asked.users, durations=asked.durations))

    async def differences(self, request: Request) -> Response:
        """The differences of a route that this gateway has seen; none if it does not know the route."""
        asked = await self._asked(request, DifferencesQuestion)
        return JSONResponse({"differences": await self._totals.own_differences(asked.route)})

    async def guard(self, request: Request) -> Response:
        """Who watches a movable here after a move, and how that ended."""
        asked = await self._asked(request, GuardQuestion)
        return JSONResponse({"guard": views.guard(self._migration.guards.of(asked.unit))})

    async def guards_of_others(self, unit: str) -> list[View]:
        """The guard of a movable at each other gateway that has one and answers; `gateway` is its name."""
        if self._joined is None:
            return []
        answers = await self._joined.peers.ask_all(self._joined.members.others, "guard", {"unit": unit})
        found = []
        for name, answer in answers.items():
            if not isinstance(answer, PeerAway) and answer.get("guard"):
                with suppress(ValidationError):  # it may be anything
                    found.append(GuardTold.model_validate(answer["guard"]).model_dump() | {"gateway": name})
        return found

    async def run(self, request: Request) -> Response:
        """Which process this is."""
        await self._asked(request, GatewayCall)
        return JSONResponse({"run": self._wanted().run})

    async def anew(self, request: Request) -> Response:
        """Counts anew, together with all."""
        asked = await self._asked(request, CountTogether)
        self._wanted().counting.begin(asked.together)
        return JSONResponse({"done": True})

    async def passed_on(self, request: Request) -> Response:
        """The same rollback, with the same name."""
        asked = await self._asked(request, PassedOn)
        known = self._migration.served.movables
        try:
            names = {unit: parse_name(text) for unit, text in asked.units.items() if unit in known}
        except RecordInvalid as exc:
            raise AdminRefusal(422, "invalid", str(exc)) from None
        results = await self._migration.rollback(list(names), who=asked.who, why=asked.why, passed_on=names)
        return JSONResponse({"units": {one.unit: {"notes": list(one.warnings)} for one in results}})

    async def automatic(self, request: Request) -> Response:
        """A rollback that another gateway's guard wants; made only by who holds the lease."""
        asked = await self._asked(request, AutomaticRollback)
        if asked.unit not in self._migration.served.movables:
            return JSONResponse({"done": False})
        done = await self._migration.automatic(asked.unit, asked.who, asked.why, asked.evidence, asked.record)
        return JSONResponse({"done": done})

    async def pass_on(self, names: Mapping[str, RollbackName], who: str, why: str) -> list[View]:
        """Tells every known gateway of rollbacks that this one makes; whom it reached."""
        if self._joined is None or not names:
            return []
        peers, members = self._joined.peers, self._joined.members
        said = {"units": {unit: name_shown(name) for unit, name in names.items()}, "who": who, "why": why}
        others = members.others
        answers = await peers.ask_all(others, "rollback", said)
        rows = [_reached(members.me, None, "")]
        for one in others:
            answer = answers[one.name]
            served = {str(members.served(one, unit) or "an unknown state") for unit in names}
            rows.append(_reached(one, answer if isinstance(answer, PeerAway) else None, ", ".join(sorted(served))))
        return rows

    def lagging(self) -> View:
        """For `routes`: a sentence of every other gateway that does not report what this one serves; the store."""
        joined = self._joined
        if joined is None:
            return {"lagging": [], "store_problem": None}
        members, away = joined.members, joined.store.away_since
        if away is not None:
            return {"lagging": [], "store_problem": f"{joined.store.address} has not answered since {clock_time(away)}"}
        records = self._records()
        late = [f"{unit}: {members.still(one, unit)}" for one in members.others for unit in self._lagging(one, records)]
        return {"lagging": [*([members.twofold] if members.twofold else []), *late], "store_problem": None}

    def _row(self, one: ClusterMember, records: Mapping[str, str]) -> View:
        assert self._joined is not None  # the list has looked
        here = one.name == self._joined.members.me.name
        at = iso(one.at) if one.at else None
        lagging = {unit: place(where) for unit, where in self._lagging(one, records).items()}
        return {"name": one.name, "admin": one.admin, "this": here, "at": at, "lagging": lagging}

    def _records(self) -> Mapping[str, str]:
        """By movable, the digest of the record that counts here."""
        standings = self._migration.standings
        return {unit: digest(standings[unit].record) for unit in self._migration.served.movables}

    def _lagging(self, one: ClusterMember, records: Mapping[str, str]) -> dict[str, Position | None]:
        """Movables of which it does not report the record that counts here, and where it serves them."""
        assert self._joined is not None
        members = self._joined.members
        return {unit: members.served(one, unit) for unit, record in records.items() if not one.reports(unit, record)}

    def _wanted(self) -> Joined:
        if self._joined is None:
            raise AdminRefusal(409, "alone", "this gateway is alone: STRANGLER_STORE is not set")
        return self._joined

    async def _asked(self, request: Request, model: type[Any]) -> Any:
        """The body of a call of another gateway. Raises AdminRefusal."""
        self._wanted()
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if self._tokens is None or scheme.lower() != "bearer" or self._tokens.gateway_of(token.strip()) is None:
            raise AdminRefusal(401, "denied", "only a gateway with the same signing key may call this")
        return await body(request, model)


def store(joined: Joined) -> View:
    """The store, and who makes automatic moves."""
    one = joined.store
    return {
        "address": one.address,
        "prefix": one.prefix,
        "id": one.cluster,
        "driver": one.driver,
        "away_since": iso(one.away_since) if one.away_since else None,
    }


def store_metrics(reachable: bool, gateways: int, lagging: int, drives: bool) -> Sequence[Metric]:
    """For Prometheus."""
    return (
        gauge("strangler_store_reachable", "0: the store does not answer, and nothing moves here.", int(reachable)),
        gauge("strangler_store_gateways", "Gateways that share the store, this one included.", gateways),
        gauge("strangler_store_gateways_lagging", "Those that do not report what this one serves.", lagging),
        gauge("strangler_store_driver", "1: this gateway makes automatic moves.", int(drives)),
    )


def _reached(one: ClusterMember, problem: PeerAway | None, serving: str) -> View:
    return {
        "name": one.name,
        "admin": one.admin,
        "reached": problem is None,
        "problem": str(problem) if problem is not None else None,
        "serving": serving or None,
    }
