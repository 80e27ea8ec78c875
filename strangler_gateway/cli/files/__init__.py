"""The verbs that need no running gateway: check, init, schema, and the roads in and out (import, export).

They read and write files; the admin API is asked at most for a table.
"""
