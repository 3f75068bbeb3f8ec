"""One file, one Prefect task: call the library, record what it did, return a noun.

What loads torch is imported when the step runs: a cached step costs no import.
"""
