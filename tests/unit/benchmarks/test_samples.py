"""What py-spy writes, counted."""

from benchmarks.profile import samples

MAIN = "main (strangler_gateway/cli/app.py:12);run (uvloop/loop.c:99)"
SERVER = "data_received (/a/b/strangler_gateway/server/connection.py"
RAW = f"""{MAIN};{SERVER}:40);findall (_sre.c:1) 6
{MAIN};{SERVER}:44) 3
{MAIN};epoll_wait (libc.so.6) 1
Thread._bootstrap (threading.py:1002);Thread.run (threading.py:982);wait (libc.so.6) 90
"""


def test_time_in_c_belongs_to_the_python_function_that_called_it() -> None:
    counts = samples.by_innermost_python(samples.read_stacks(RAW))
    assert counts == {"strangler_gateway/server/connection.py:data_received": 9, "strangler_gateway/cli/app.py:main": 1}


def test_a_function_is_charged_once_with_all_that_it_calls() -> None:
    counts = samples.by_any_python(samples.read_stacks(RAW))
    assert counts == {
        "strangler_gateway/cli/app.py:main": 10,
        "strangler_gateway/server/connection.py:data_received": 9,
    }


def test_the_innermost_function_may_be_one_of_c() -> None:
    counts = samples.by_innermost(samples.read_stacks(RAW))
    assert counts["findall [_sre.c]"] == 6
    assert counts["epoll_wait [libc.so.6]"] == 1
