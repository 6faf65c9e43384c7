"""Computing in the background.

A `work` is described, becomes a job of the `queue` that a `runner` keeps, and is handed over stage
by stage, as its `urgency` says, to the `places` whose `executors` carry it out, in the functions of
`worker`; how far it is passes through its `job_folder`, and `hints` say that it got further.
"""
