"""The parts of the controller of moves (`migration.py`), one job each. Only they and it know all the rest."""
