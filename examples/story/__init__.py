"""The whole migration by plans alone: nobody flips anything. `make story`."""
