"""The buckets that a stack's store must hold: ``python -m infra.stack.buckets`` makes them."""

import os
from collections.abc import Mapping

import boto3
from botocore.config import Config

from infra.stack.settings import BUCKET, MLFLOW_BUCKET


def make(environment: Mapping[str, str]) -> None:
    """Where they are missing. ``environment`` says where the store is, and its keys."""
    client = boto3.session.Session().client(
        "s3",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name=environment["AWS_DEFAULT_REGION"],
        config=Config(s3={"addressing_style": "path"}),
    )
    there = {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}
    for bucket in {BUCKET, MLFLOW_BUCKET} - there:
        client.create_bucket(Bucket=bucket)


if __name__ == "__main__":
    make(os.environ)
