"""What Prometheus reads about log-ins."""

from collections.abc import Sequence

from chassis.service.metrics import Metric
from extracted.account.attempts.domain import AttemptScope
from extracted.account.sign_in.domain import LoginResult
from extracted.account.sign_in.service import SignIn


def login_metrics(sign_in: SignIn) -> Sequence[Metric]:
    """Counters since the process has started."""
    results = [({"result": result.value}, float(sign_in.results[result])) for result in LoginResult]
    scopes = [({"scope": scope.value}, float(sign_in.attempts.refusals[scope])) for scope in AttemptScope]
    return [
        Metric(
            "account_log_ins_total", "counter", "Log-ins by their result; limited: the password was not read.", results
        ),
        Metric("account_log_ins_limited_total", "counter", "Refused log-ins by whose failures were too many.", scopes),
    ]
