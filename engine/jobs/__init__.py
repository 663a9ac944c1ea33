"""Jobs: submitted to the records, run by one runner a workspace, each in a process of its own.

Nothing here loads torch; a worker does, when its task is loaded.
"""
