"""`make chaos`: two gateways that act as one and a service of three instances, under load, while everything fails.

`scene.py` starts it, `traffic.py` asks, `events.py` breaks and repairs, `audit.py` judges what was seen.
"""
