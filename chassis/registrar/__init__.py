"""Registers instances in Consul for services that do not know it: a process of its own, `python -m chassis.registrar`.

It knows what runs from a list, and compares it with what the agent has. It keeps nothing itself.
"""
