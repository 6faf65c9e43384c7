"""Computing in the background.

A `work` is described, becomes a job of the `queue` that a `runner` keeps, and is carried out by an
`executor`, in the functions of `worker`; how far it is passes through its `job_folder`.
"""
