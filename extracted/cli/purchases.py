"""`polycode purchases`: lists and shows purchases, acts on one, audits the books."""

from typing import Annotated, Any

import typer

from extracted.cli import rewards, text
from extracted.cli.client import DONE, REFUSED, OperationsClient, operator_name
from extracted.cli.options import After, AsJson, segment

app = typer.Typer(help="List, show, resume, cancel, refund and audit purchases.", no_args_is_help=True)
PurchaseId = Annotated[str, typer.Argument(metavar="ID", help="The id of the purchase.")]
Why = Annotated[str, typer.Option("--why", help="The reason. It is logged and kept with the purchase.")]
_OPEN = ("DEBITED", "CANCELLING")
_COLUMNS = ("purchase", "state", "reason", "user", "item", "price", "commands", "created", "settled")


def _seconds(value: str | int) -> int:
    try:
        return text.seconds(str(value))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


@app.command("list")
def list_(
    state: Annotated[
        list[str] | None,
        typer.Option(help="DEBITED, CANCELLING, COMPLETED, REFUNDED or REJECTED; can be repeated."),
    ] = None,
    are_open: Annotated[bool, typer.Option("--open", help="Only those that are not settled yet.")] = False,
    older_than: Annotated[
        int, typer.Option(parser=_seconds, metavar="TIME", help="Only purchases older than 90s, 5m, 2h.")
    ] = 0,
    after: After = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="The largest number of purchases.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List purchases, oldest first."""
    states = [one.upper() for one in (*(state or ()), *(_OPEN if are_open else ()))] or None
    answer = _account(as_json).get("purchases", state=states, older_than_s=older_than, after=after, limit=limit)
    rows = [_row(one) for one in answer["purchases"]]
    text.show_page(answer, _COLUMNS, rows, as_json=as_json, empty="no purchases found")


@app.command()
def show(purchase_id: PurchaseId, as_json: AsJson = False) -> None:
    """Show one purchase with its timeline: steps, ledger entries, operators' actions."""
    answer = _account(as_json).get(f"purchases/{segment(purchase_id)}")
    if as_json:
        text.print_json(answer)
        return
    text.print_table(_COLUMNS, [_row(answer)])
    text.print_table(("when", "what", ""), [(text.moment(at), what, more) for at, what, more in _timeline(answer)])


@app.command()
def resume(purchase_id: PurchaseId, why: Why, as_json: AsJson = False) -> None:
    """Ask the shop now instead of at the next time-out."""
    _change(purchase_id, "resume", why, as_json)


@app.command()
def cancel(purchase_id: PurchaseId, why: Why, as_json: AsJson = False) -> None:
    """Ask the shop to cancel. The points go back after that; if the shop has sold already, the purchase completes."""
    _change(purchase_id, "cancel", why, as_json)


@app.command()
def refund(purchase_id: PurchaseId, why: Why, as_json: AsJson = False) -> None:
    """Pay back the price of a purchase that the monolith charged too. The purchase keeps its state."""
    _change(purchase_id, "refund", why, as_json)


@app.command()
def audit(as_json: AsJson = False) -> None:
    """Compare ledger, purchases and transactions; with POLYCODE_LEARNING_URL also rewards earned and paid.

    Exit code 1 if there is a breach.
    """
    account, learning = _account(as_json), OperationsClient("learning", as_json)
    answer = account.get("audit")
    paid = rewards.audit(account, learning) if learning.is_configured else None
    found = [(one["kind"], one["purchaseId"]) for one in answer["breaches"]] + (paid.breaches if paid else [])
    counts = f"; {paid.earned} rewards earned, {paid.paid} paid" if paid else ""
    shown = {**answer, "rewards": paid and paid.shown()}
    nothing = f"no breach, {text.moment(answer['at'])}{counts}"
    text.show(shown, ("breach", "purchase or reward"), found, as_json=as_json, empty=nothing)
    raise typer.Exit(REFUSED if found else DONE)


def _account(as_json: bool) -> OperationsClient:
    return OperationsClient("account", as_json)


def _change(purchase_id: str, verb: str, why: str, as_json: bool) -> None:
    answer = _account(as_json).post(f"purchases/{segment(purchase_id)}/{verb}", why=why, by=operator_name())
    text.show(answer, _COLUMNS, [_row(answer)], as_json=as_json)


def _timeline(purchase: Any) -> list[tuple[str | None, str, str]]:
    """(time, what, more), oldest first."""
    steps = [(one["at"], one["step"] if "step" in one else one.get("state"), "") for one in purchase["steps"]]
    ledger = [
        (one["at"], f"{one['kind']} {one['delta']:+d}", f"{text.plain(one['pointsAfter'])} left")
        for one in purchase["ledger"]
    ]
    actions = [
        (one["at"], one["action"], f"{one['why']} ({one['by']})" if one.get("by") else one["why"])
        for one in purchase["interventions"]
    ]
    return sorted(steps + ledger + actions, key=lambda line: line[0] or "")


def _row(one: Any) -> tuple[object, ...]:
    what = (one["id"], one["state"], one["reason"], one["userId"], one["itemId"], one["price"], one["commands"])
    return (*what, text.moment(one["createdAt"]), text.moment(one["settledAt"]))
