"""Log-ins, profiles, e-mail addresses, settings, teams, and people who sign up and leave."""

import secrets

from examples.demo.clients import data_of
from examples.migration.mails import ADDED, REMOVED, VERIFY
from examples.migration.user import User
from examples.migration.world import Person


async def reads_profiles(user: User) -> None:
    """The start of a session, and somebody else's page. The points must be those of the user's own books."""
    await user.check_points()
    await user.get("/user/@me/settings")
    await user.get("/user/@me/teams")
    await user.get(f"/user/{_other(user).id}")
    found = await user.get(f"/user?username={user.name}")
    if [one["username"] for one in found] != [user.name]:
        raise user.failed(f"GET /user?username={user.name}: {found}")


async def opens_overview(user: User) -> None:
    """The start of a session in one request; each of its calls follows the group of its own route."""
    seen = await user.get("/me/overview")
    addresses = {one["email"] for one in await user.get("/user/@me/email")}
    if seen["user"]["id"] != user.user or {one["email"] for one in seen["emails"]} != addresses:
        raise user.failed(f"GET /me/overview: {seen}")
    if not user.owned <= {item["id"] for item in await user.get("/me/items?limit=100")}:
        raise user.failed(f"GET /me/items has not all of {sorted(user.owned)}")


async def looks_around(user: User) -> None:
    """What belongs to no data; the web client's newest revision asks for /modules."""
    if (health := await user.get("/health")) != {"status": "ok"}:
        raise user.failed(f"GET /health: {health}")
    if "platform" in user.world.routes.whole:  # each side tells its own numbers, so shadow cannot compare them
        metrics = await user.call("GET", "/metrics", 200)
        if "http_requests" not in metrics.text:
            raise user.failed(f"GET /metrics: {metrics.text[:200]}")
    unknown = await user.call("GET", "/modules?imit=1", 404)
    if unknown.json()["message"] != "Cannot GET /modules?imit=1":
        raise user.failed(f"GET /modules: {unknown.text[:200]}")


async def comes_back(user: User) -> None:
    """A new log-in is the same user, with the rights of the old one."""
    await user.log_in_again()
    if (me := await user.get("/user/@me"))["id"] != user.user:
        raise user.failed(f"after a log-in {user.user} is {me['id']}")
    await user.call("PATCH", "/user/@me", 200, body={})
    await user.call("POST", "/auth/logout", 404)  # as the monolith, so the token stays good


async def changes_profile(user: User) -> None:
    """Each change must be there in the next answer."""
    text = secrets.token_hex(8)
    await user.call("PATCH", "/user/@me", 200, body={"description": text})
    if (seen := (await user.get("/user/@me"))["description"]) != text:
        raise user.failed(f"PATCH /user/@me wrote {text}, GET /user/@me answered {seen}")
    settings = {"preferredEditingLanguage": text, "preferredLanguage": secrets.choice(("en", "fr"))}
    await user.call("PATCH", "/user/@me/settings", 200, body=settings)
    if (seen := await user.get("/user/@me/settings")) != settings:
        raise user.failed(f"PATCH /user/@me/settings wrote {settings}, GET answered {seen}")
    await user.call("POST", "/user/@me/settings/reset", 404)  # as the monolith always does (F16)
    await user.call("DELETE", f"/user/{_other(user).id}", 403)


async def changes_addresses(user: User) -> None:
    """Two mails go to the new address: one for it, one because the user asks again."""
    address = f"{user.name}-{secrets.token_hex(4)}@example.org"
    added = data_of(await user.call("POST", "/user/@me/email", 201, body={"email": address}))
    user.world.mails.expect(address, VERIFY)
    await user.call("POST", f"/user/email/regenerate-token/{added['id']}", 204)
    user.world.mails.expect(address, VERIFY)
    if added not in (seen := await user.get("/user/@me/email")):
        raise user.failed(f"POST /user/@me/email created {added}, GET answered {seen}")
    if "users" in user.world.routes.whole:  # a fault of the monolith (C1), so no gate would let such a group pass
        await user.call("DELETE", f"/user/@me/email/{added['id']}", 500)


async def works_in_team(user: User) -> None:
    """A team with a guest, from its first to its last minute; the guest gets two mails."""
    guest, name = _other(user), f"team-{secrets.token_hex(6)}"
    team = data_of(await user.call("POST", "/team", 201, body={"name": name, "description": "for a while"}))
    where = f"/team/{team['id']}"
    await user.call("PATCH", where, 200, body={"description": "for a moment"})
    joined = data_of(await user.call("POST", f"{where}/members", 201, body={"userId": guest.id}))
    user.world.mails.expect(guest.email, ADDED)
    if {member["id"] for member in joined["members"]} != {user.user, guest.id}:
        raise user.failed(f"POST {where}/members: {joined}")
    await user.get(where)
    await user.get(f"/team?name={name}")
    await user.call("DELETE", f"{where}/members", 200, body={"userId": guest.id})
    user.world.mails.expect(guest.email, REMOVED)
    await user.call("DELETE", where, 204)


async def welcomes_somebody(admin: User) -> None:
    """Somebody signs up, confirms the address, logs in and leaves."""
    somebody, secret = User(admin.world), secrets.token_urlsafe()
    try:
        await somebody.sign_up_as(secret)
        await somebody.enter(somebody.email, secret)
        await somebody.call("DELETE", "/user/@me", 204)
    finally:
        await somebody.aclose()


def _other(user: User) -> Person:
    return secrets.choice([person for person in user.world.people if person.id != user.user])
