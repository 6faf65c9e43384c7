"""Methods of others, each run in a process of its own and in an environment of its own.

`environment` says what is installed there, `process` runs a method, ``children/`` are the scripts
that the other interpreter runs.
"""
