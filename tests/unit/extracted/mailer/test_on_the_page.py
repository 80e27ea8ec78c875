"""What is parked in a real Mailer stands on the gateway's page, and a click has it retried or dropped."""

import html
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from chassis.messaging.envelope import new_id
from tests.support.gateway.administered import OPERATOR, AdminServer
from tests.support.mail.smtp_faults import RCPT, Fault
from tests.support.system.waiting import until
from tests.unit.extracted.mailer.running import OPERATOR as MAILERS
from tests.unit.extracted.mailer.running import RunningMailer, published, request, running_mailer, running_sink

pytestmark = pytest.mark.walk


class Browser:
    """An operator's, without JavaScript."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        self._http.post("/ui/login", data={"credential": OPERATOR, "name": "ada"})

    def services(self) -> str:
        return self._http.get("/ui/services").text

    def click(self, id: str, action: str, why: str) -> str:
        """What the page says after the button of an item was confirmed with a why."""
        links = [html.unescape(one) for one in re.findall(r'href="(/ui/queue\?[^"]+)"', self.services())]
        (link,) = [one for one in links if f"id={id}&" in one and one.endswith(f"action={action}")]
        fields = dict(re.findall(r'name="([a-z_]+)" value="([^"]*)"', self._http.get(link).text))
        form = {name: html.unescape(value) for name, value in fields.items()}
        return self._http.post("/ui/queue", data=form | {"why": why}).text


@pytest.fixture
def page(tmp_path: Path) -> Iterator[AdminServer]:
    with AdminServer(tmp_path) as server:
        yield server


@pytest.fixture
def http(page: AdminServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=page.url, headers={"Origin": page.url}, follow_redirects=True) as client:
        yield client


async def test_a_failed_mail_is_retried_and_a_failed_message_dropped(
    tmp_path: Path, page: AdminServer, http: httpx.Client
) -> None:
    urls = [f"sqlite:///{tmp_path / name}.sqlite3" for name in ("mailer", "broker")]
    with running_sink(tmp_path) as sink:
        sink.set(Fault(RCPT, code=550, text="5.1.1 no such user", times=1))
        with running_mailer(*urls, **sink.settings) as mailer:
            _asked(page, mailer, tmp_path)
            browser = Browser(http)
            mail = mailer.mail(new_id())["id"]
            await published(urls[1], request(new_id(), kind="nothing_that_is_known"))
            until(lambda: _state(mailer, mail) == "failed", "the provider refuses it")
            until(lambda: mailer.json("GET", "/internal/parked")["parked"], "the message is parked")
            (message,) = mailer.json("GET", "/internal/parked")["parked"]
            shown = browser.services()
            assert "no such user" in shown
            assert "ada@example.org" not in shown
            assert f"retry of {mail} in failed mails of items: done." in browser.click(mail, "retry", "they exist now")
            until(lambda: _state(mailer, mail) == "sent", "it is sent at last")
            history = mailer.json("GET", f"/mails/{mail}")["history"]
            assert [line["by"] for line in history if line["by"]] == ["ada (127.0.0.1)"]
            assert "done." in browser.click(message["id"], "drop", "a test of somebody")
            assert mailer.json("GET", "/internal/parked")["parked"] == []
            dropped = next(line for line in mailer.logged() if line["event"] == "parked_discard")
            assert (dropped["why"], dropped["by"]) == ("a test of somebody", "ada (127.0.0.1)")


def _asked(page: AdminServer, mailer: RunningMailer, folder: Path) -> None:
    """The gateway asks Mailer for its queues from now on."""
    (folder / "token").write_text(MAILERS)
    rules = f'operators: {{path: /internal/queues, token_file: "{folder / "token"}"}}'
    page.world.edit(
        'items: {url: "http://127.0.0.1:8102"}', f'items: {{url: "http://127.0.0.1:{mailer.port}", {rules}}}'
    )
    headers = {"Authorization": f"Bearer {OPERATOR}"}
    assert httpx.post(f"{page.url}/reload", headers=headers).status_code == 200


def _state(mailer: RunningMailer, mail: str) -> str:
    return str(mailer.json("GET", f"/mails/{mail}")["state"])
