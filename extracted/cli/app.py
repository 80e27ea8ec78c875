"""The command: `polycode purchases`, `mails`, `dead-letters`, `broker`, `status`."""

from typing import Annotated

import typer

from extracted.cli import broker, dead_letters, mails, purchases, text
from extracted.cli.client import SERVICES, OperationsClient, of_each

app = typer.Typer(
    name="polycode",
    no_args_is_help=True,
    help="Operates PolyCode's services, over their APIs alone.\n\nWhere they are: POLYCODE_ACCOUNT_URL, "
    "POLYCODE_SHOP_URL, POLYCODE_MAILER_URL. The credential: POLYCODE_OPERATOR_TOKEN or POLYCODE_OPERATOR_TOKEN_FILE. "
    "Exit codes: 0 done, 1 refused (or a breach), 2 usage, 3 unreachable.",
)
app.add_typer(purchases.app, name="purchases")
app.add_typer(mails.app, name="mails")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(broker.app, name="broker")


@app.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False) -> None:
    """How open purchases, mails, outboxes and consumers are, of all services that answer."""
    found, code = of_each(SERVICES, lambda name: OperationsClient(name, as_json).get("status"))
    if as_json:
        text.as_json(found)
    else:
        rows = [(name, key, value) for name, answer in found.items() for key, value in answer.items()]
        text.table(("service", "what", ""), rows, "")
    raise typer.Exit(code)


def main() -> int:
    """Returns the exit code."""
    app(prog_name="polycode")
    return 0
