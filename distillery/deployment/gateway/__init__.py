"""One address before the versions of one model: the same process here and in a container.

Starts MLflow's scoring server for the version that answers, keeps it running, switches to another
without losing a request, and counts. Reaches neither torch, mlflow nor prefect.
"""
