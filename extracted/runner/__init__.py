"""The runner: compiles and runs source code that nobody trusts, within limits."""
