"""What both sides are asked with, and how their answers are compared."""

from tests.extracted.shop.running import Answer
from tests.monolith_file import MonolithFile, claims_of, sign

PER_CONNECTION = {"date", "connection", "keep-alive"}
HINT = "11111111-1111-4111-8111-111111111111"
BOUGHT = "22222222-2222-4222-8222-abcdefabcdef"
UNKNOWN = "00000000-0000-4000-8000-000000000000"

ACTORS = (
    "nobody", "scheme alone", "three words", "another scheme", "expired", "no row", "nonsense", "alg none",
    "other secret", "other audience", "other issuer", "guest", "user", "admin", "deleted",
)  # fmt: skip
IDS = (
    HINT,
    BOUGHT,
    BOUGHT.upper(),
    UNKNOWN,
    "abc",
    "%7B" + BOUGHT + "%7D",
    BOUGHT.replace("-", ""),
    "%zz",
    "%00",
    "a+b",
)


def difference(legacy: Answer, extracted: Answer) -> str:
    """What differs, besides what belongs to a connection; "" when nothing does."""
    pairs = {"status": (legacy.status, extracted.status), "body": (legacy.body, extracted.body)}
    names = (legacy.headers.keys() | extracted.headers.keys()) - PER_CONNECTION
    pairs |= {name: (legacy.headers.get(name), extracted.headers.get(name)) for name in names}
    return "; ".join(f"{name}: {old!r} / {new!r}" for name, (old, new) in pairs.items() if old != new)


def fill(file: MonolithFile) -> dict[str, str]:
    """Items of every sort, a purchase, and a credential of every kind."""
    for cost in (0.5, 1e21, 1e-7, 2**53 + 2, 12345678.9):
        file.add_item(cost=cost, type="validator", data={"text": f"é ✓ \u2028 {cost}"})
    file.add_item(BOUGHT, cost=3)
    # the stand-in judges by policies, so its own roles have to be used
    names = {"guest": ("guest",), "user": ("guest", "user"), "admin": ("admin",), "deleted": ("guest", "user")}
    users = {name: file.add_user(*roles) for name, roles in names.items()}
    file.add_purchase(users["user"], BOUGHT)
    tokens = {name: file.login(user) for name, user in users.items()}
    expired = file.login(users["admin"])
    file.expire(expired)
    file.delete_user(users["deleted"])
    return {name: f"Bearer {token}" for name, token in tokens.items()} | {
        "nobody": "",
        "scheme alone": "Bearer",
        "three words": f"Bearer {tokens['admin']} x",
        "another scheme": f"Foo {tokens['admin']}",
        "expired": f"Bearer {expired}",
        "no row": f"Bearer {sign(claims_of(users['admin']))}",
        "nonsense": "Bearer nonsense",
        "alg none": "Bearer eyJhbGciOiJub25lIn0.eyJzdWJqZWN0IjoieCJ9.",
        "other secret": f"Bearer {sign(claims_of(users['admin']), 'another-secret-of-sufficient-length')}",
        "other audience": f"Bearer {file.login(users['admin'], aud='https://elsewhere.example')}",
        "other issuer": f"Bearer {file.login(users['admin'], iss='https://elsewhere.example')}",
    }
