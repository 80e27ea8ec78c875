"""A request that is answered with several calls: their requests, their answers, and the JSON that they become.

A call goes the way of every request; this floor knows no step.
"""
