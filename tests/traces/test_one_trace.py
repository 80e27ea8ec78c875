"""What a user does is one trace, through gateway, services, queues, saga and mail."""

import asyncio
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection

import pytest

from chassis.database import migrations
from legacy_adapter.account.roles import GUEST_ROLE
from parts.ports import free_port
from tests.support.connected import fresh_rabbit
from tests.support.otlp_collector import Collected, Collector, collecting
from tests.support.stores import on_real_parts
from tests.support.system.processes import ROOT, Process
from tests.support.system.purchasing import System, system
from tests.support.system.waiting import until

pytestmark = pytest.mark.connected

SERVICES = ("gateway", "account", "shop")
PARENT = "00f067aa0ba902b7"


@dataclass(frozen=True)
class Traced:
    """A system whose processes tell the collector of their spans."""

    system: System
    collector: Collector

    def spans(self, trace: str, *wanted: tuple[str, str]) -> list[Collected]:
        """Those of the trace, as soon as each of `wanted` (service, name) is among them; all in one tree."""
        until(lambda: set(wanted) <= self._named(trace), f"{wanted} of {trace}", 20)
        spans = self.collector.of(trace)
        known = {span.id for span in spans}
        assert [span.parent for span in spans if span.parent not in known] == [PARENT]
        return spans

    def _named(self, trace: str) -> set[tuple[str, str]]:
        return {(span.service, span.name) for span in self.collector.of(trace)}


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    folder, broker_url = tmp_path_factory.mktemp("traces"), fresh_rabbit()
    stores, sink_port = on_real_parts(folder), free_port()
    with collecting() as collector:
        traces = collector.environ()
        mailing = {
            "MAILER_DATABASE_URL": stores.database_url,
            "MAILER_BROKER_URL": broker_url,
            "MAILER_SMTP_HOST": "127.0.0.1",
            "MAILER_SMTP_PORT": str(sink_port),
            "MAILER_SMTP_TLS": "none",
            "MAILER_PUBLIC_WWW_URL": "https://polycode.example",
        }
        sink = ("tests.support.mail.smtp_sink", "--port", str(sink_port))
        others = [
            Process("sink", sink, {}, folder / "sink.log"),
            Process("mailer", ("extracted.mailer", "--port", "0"), mailing | traces, folder / "mailer.log"),
        ]
        with system(folder, stores, broker_url, more=dict.fromkeys(SERVICES, traces)) as running:
            outline = json.loads(running.routes.read_text())
            outline["groups"]["users"]["state"] = "extracted"
            running.routes.write_text(json.dumps(outline))
            running.migrate()
            asyncio.run(migrations.upgrade(stores.database_url, "mailer", ROOT / "extracted/mailer/migrations"))
            for process in others:
                process.launch()
            running.start(*SERVICES)
            others[1].listening()
            try:
                yield Traced(running, collector)
            finally:
                for process in others:
                    process.kill()


def new_trace() -> tuple[str, str]:
    """Its id, and a traceparent whose sender does not sample."""
    trace = uuid.uuid4().hex
    return trace, f"00-{trace}-{PARENT}-00"


def buyer(running: System) -> tuple[str, str, str]:
    """Id and token of a new user, and a new item."""
    user_id = running.data.add_user("guest", "user", points=100)
    return user_id, running.data.login(user_id), running.data.add_item(cost=10)


def test_a_purchase_is_one_trace_from_the_click_to_its_end(traced: Traced) -> None:
    user_id, token, item = buyer(traced.system)
    trace, traceparent = new_trace()
    reply = traced.system.ask("POST", "/purchases", token, {"itemId": item}, traceparent=traceparent)
    assert reply.status == 204
    spans = traced.spans(
        trace,
        ("strangler", "POST /purchases"),
        ("account", "process account.purchases"),
        ("shop", "process shop.commands"),
        ("account", "process account.decisions"),
    )
    [request] = [span for span in spans if span.service == "strangler"]
    assert request.attributes["strangler.group"] == "points"
    assert request.attributes["strangler.state"] == "extracted"
    assert request.attributes["http.response.status_code"] == 204
    log = traced.system.folder / "access.log"
    until(lambda: f'"trace":"{trace}"' in log.read_text(), f"the line of {trace} in {log.name}", 30)
    assert user_id not in json.dumps([span.attributes for span in spans])


def test_the_call_of_the_web_client_is_one_trace_too(traced: Traced) -> None:
    _, token, item = buyer(traced.system)
    trace, traceparent = new_trace()
    assert traced.system.buy(token, item, traceparent=traceparent).status == 201
    wanted = ("strangler", "account"), ("account", "POST"), ("shop", "process shop.commands")
    spans = traced.spans(trace, *wanted, ("account", "process account.decisions"))
    [call] = [span for span in spans if (span.service, span.name) == wanted[0]]
    [served] = [span for span in spans if (span.service, span.name) == wanted[1]]
    assert served.parent == call.id
    assert served.attributes["http.response.status_code"] == 201


def test_a_sign_up_is_one_trace_until_its_mail_is_sent(traced: Traced) -> None:
    traced.system.data.add_role("newcomer", GUEST_ROLE)
    trace, traceparent = new_trace()
    name = f"u{uuid.uuid4().hex[:12]}"
    body = {"username": name, "email": f"{name}@example.org", "password": "Abcdef1!"}
    connection = HTTPConnection("127.0.0.1", traced.system.ports["gateway"], timeout=30)
    fields = {"Content-Type": "application/json", "traceparent": traceparent}
    connection.request("POST", "/user", json.dumps(body), fields)
    response = connection.getresponse()
    assert response.status == 201, response.read()
    connection.close()
    spans = traced.spans(trace, ("account", "POST"), ("mailer", "process mailer.requests"), ("mailer", "send mail"))
    assert name not in json.dumps([(span.name, span.attributes) for span in spans])
