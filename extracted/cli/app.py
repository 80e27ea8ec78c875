"""The command: `polycode purchases`, `mails`, `dead-letters`, `learning`, `broker`, `runner`, `identity`, `status`."""

import logging

import typer

from chassis.terminal import HELP_OPTIONS, careful_output
from extracted.cli import broker, dead_letters, identity, learning, mails, purchases, runner, text
from extracted.cli.client import DONE, SERVICES, UNREACHABLE, OperationsClient, of_each
from extracted.cli.options import AsJson

app = typer.Typer(
    name="polycode",
    no_args_is_help=True,
    context_settings=HELP_OPTIONS,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,  # they show the values of variables, and so the credential
    help="Operate PolyCode's services through their APIs.\n\nAddresses: POLYCODE_ACCOUNT_URL, "
    "POLYCODE_SHOP_URL, POLYCODE_LEARNING_URL, POLYCODE_MAILER_URL. "
    "Credential: POLYCODE_OPERATOR_TOKEN or POLYCODE_OPERATOR_TOKEN_FILE. "
    "Exit codes: 0 done, 1 refused (or a breach), 2 wrong usage, 3 a service is unreachable.",
)
app.add_typer(purchases.app, name="purchases")
app.add_typer(mails.app, name="mails")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(learning.app, name="learning")
app.add_typer(broker.app, name="broker")
app.add_typer(runner.app, name="runner")
app.add_typer(identity.app, name="identity")


_OTHER_SERVER = "check that each POLYCODE_…_URL is the address of that service, in the version of polycode"


@app.command()
def status(as_json: AsJson = False) -> None:
    """Show open purchases, mails, outboxes and consumers of all services that answer."""
    found, code = of_each(SERVICES, lambda name: OperationsClient(name, as_json).get("status"))
    rows = [(name, key, value) for name, answer in found.items() for key, value in text.lines(answer)]
    text.show(found, ("service", "what", ""), rows, as_json=as_json)
    raise typer.Exit(code)


def main() -> int:
    """Returns the exit code, or ends the process with it."""
    logging.getLogger().addHandler(logging.NullHandler())  # what a library logs, the command says in its own words
    with careful_output():
        try:
            app(prog_name="polycode")
        except KeyError as error:
            typer.echo(f'polycode: a service\'s answer has no "{error.args[0]}"; {_OTHER_SERVER}', err=True)
            return UNREACHABLE
    return DONE
