"""`polycode purchases`: by state and age, one with its timeline, what operators do with one, the audit of the books."""

from typing import Annotated, Any

import typer

from extracted.cli import text
from extracted.cli.client import DONE, REFUSED, OperationsClient

app = typer.Typer(help="Purchases: look, resume, cancel, refund, audit.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
PurchaseId = Annotated[str, typer.Argument(metavar="ID", help="Of the purchase.")]
Why = Annotated[str, typer.Option("--why", help="The reason; it is logged, and kept with the purchase.")]
_COLUMNS = ("purchase", "state", "reason", "user", "item", "price", "commands", "created", "settled")


def _seconds(value: str | int) -> int:
    try:
        return text.seconds(str(value))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


@app.command("list")
def list_(
    state: Annotated[str | None, typer.Option(help="DEBITED, CANCELLING, COMPLETED, REFUNDED or REJECTED.")] = None,
    older_than: Annotated[int, typer.Option(parser=_seconds, metavar="TIME", help="Created before: 90s, 5m, 2h.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 100,
    as_json: AsJson = False,
) -> None:
    """The oldest first."""
    wanted = state.upper() if state else None
    answer = OperationsClient("account", as_json).get("purchases", state=wanted, older_than_s=older_than, limit=limit)
    if as_json:
        text.as_json(answer)
        return
    text.table(_COLUMNS, [_row(one) for one in answer["purchases"]], "no such purchases")
    if answer["next"]:
        typer.echo(f"… and more; --limit shows up to 1000, --json tells where the next page begins ({answer['next']})")


@app.command()
def show(purchase_id: PurchaseId, as_json: AsJson = False) -> None:
    """One purchase: its steps, its lines of the ledger, what operators did."""
    answer = OperationsClient("account", as_json).get(f"purchases/{_segment(purchase_id)}")
    if as_json:
        text.as_json(answer)
        return
    text.table(_COLUMNS, [_row(answer)], "")
    lines = [(one["at"], one["step"] if "step" in one else one.get("state"), "") for one in answer["steps"]]
    lines += [
        (one["at"], f"{one['kind']} {one['delta']:+d}", f"{text.plain(one['pointsAfter'])} left")
        for one in answer["ledger"]
    ]
    lines += [(one["at"], one["action"], one["why"]) for one in answer["interventions"]]
    timeline = sorted(lines, key=lambda line: line[0] or "")
    text.table(("when", "what", ""), [(text.moment(at), what, more) for at, what, more in timeline], "")


@app.command()
def resume(purchase_id: PurchaseId, why: Why, as_json: AsJson = False) -> None:
    """Ask the shop now what it would be asked later."""
    _change(purchase_id, "resume", why, as_json)


@app.command()
def cancel(purchase_id: PurchaseId, why: Why, as_json: AsJson = False) -> None:
    """Ask the shop to cancel it. Points go back when it has; if it has sold already, the purchase completes."""
    _change(purchase_id, "cancel", why, as_json)


@app.command()
def refund(purchase_id: PurchaseId, why: Why, as_json: AsJson = False) -> None:
    """Give back the price of one that the monolith charged for, too; the purchase keeps its state."""
    _change(purchase_id, "refund", why, as_json)


@app.command()
def audit(as_json: AsJson = False) -> None:
    """Check ledger against purchases against transactions. Exit 1 on a breach."""
    answer = OperationsClient("account", as_json).get("audit")
    if as_json:
        text.as_json(answer)
    else:
        rows = [(one["kind"], one["purchaseId"]) for one in answer["breaches"]]
        text.table(("breach", "purchase"), rows, f"no breach, {text.moment(answer['at'])}")
    raise typer.Exit(REFUSED if answer["breaches"] else DONE)


def _change(purchase_id: str, word: str, why: str, as_json: bool) -> None:
    answer = OperationsClient("account", as_json).post(f"purchases/{_segment(purchase_id)}/{word}", why=why)
    if as_json:
        text.as_json(answer)
    else:
        text.table(_COLUMNS, [_row(answer)], "")


def _row(one: Any) -> tuple[object, ...]:
    what = (one["id"], one["state"], one["reason"], one["userId"], one["itemId"], one["price"], one["commands"])
    return (*what, text.moment(one["createdAt"]), text.moment(one["settledAt"]))


def _segment(purchase_id: str) -> str:
    if not purchase_id.isascii() or not all(c.isalnum() or c == "-" for c in purchase_id):
        raise typer.BadParameter("the id of a purchase is a UUID", param_hint="ID")
    return purchase_id
