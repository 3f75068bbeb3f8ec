"""The door to AWS: clients, and what AWS complains about in one line.

Credentials come from where boto3 finds them (environment, profile, role), never from settings.
``AWS_ENDPOINT_URL`` leads elsewhere, as for every AWS tool.
"""

import functools
import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from distillery.errors import UserError

_ATTEMPTS = 5
_TIMEOUT_SECONDS = 20
_CREDENTIALS = frozenset(
    {
        *("ExpiredToken", "ExpiredTokenException", "RequestExpired", "InvalidClientTokenId"),
        *("UnrecognizedClientException", "AuthFailure", "SignatureDoesNotMatch"),
        *("InvalidAccessKeyId", "InvalidSignatureException", "IncompleteSignature"),
    }
)
_FORBIDDEN = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403"})
_NOT_IN_TAGS = re.compile(r"[^\w\s.:/=+\-@]")


class AwsError(Exception):
    """AWS did not do it: one line with what and why. ``code`` is AWS' own."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


def client(service: str, region: str) -> Any:
    """Made once: each reads a description of megabytes.

    Raises ``UserError`` where there are no credentials.
    """
    ours = sorted((name, it) for name, it in os.environ.items() if name.startswith("AWS_"))
    return _client(service, region, tuple(ours))


@functools.lru_cache(maxsize=16)
def _client(service: str, region: str, environment: tuple[tuple[str, str], ...]) -> Any:
    import boto3
    from botocore.config import Config

    with told(f"reaching {service}"):
        session = boto3.Session(region_name=region)
        if session.get_credentials() is None:
            raise UserError(
                "AWS: no credentials are set; log in, or set AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY"
            )
        return session.client(
            service,
            config=Config(
                retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
                connect_timeout=_TIMEOUT_SECONDS,
                read_timeout=3 * _TIMEOUT_SECONDS,
            ),
        )


def check(region: str) -> str:
    """The account's number. Raises ``UserError`` where credentials are missing or no good."""
    sts = client("sts", region)
    with told("asking who we are"):
        return str(sts.get_caller_identity()["Account"])


@contextmanager
def told(doing: str) -> Iterator[None]:
    """AWS' errors in here as one line.

    Raises ``UserError`` for credentials and permissions, ``AwsError`` for the rest.
    """
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        NoCredentialsError,
        PartialCredentialsError,
    )

    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        message = " ".join(str(error.response.get("Error", {}).get("Message", error)).split())[:300]
        if code in _CREDENTIALS:
            raise UserError(
                f"AWS: the credentials are no good ({code}: {message}); log in again"
            ) from error
        if code in _FORBIDDEN:
            raise UserError(
                f"AWS: {doing} is not allowed ({message}); ask for that permission"
            ) from error
        raise AwsError(f"AWS: {doing} failed: {code}: {message}", code) from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise UserError(
            f"AWS: {error}; log in, or set both AWS_ACCESS_KEY_ID and its key"
        ) from error
    except BotoCoreError as error:
        raise AwsError(f"AWS: {doing} failed: {' '.join(str(error).split())[:300]}") from error


def partition(region: str) -> str:
    """What an ARN there begins with: ``aws``, ``aws-cn``, ``aws-us-gov``."""
    import boto3

    return str(boto3.Session().get_partition_for_region(region))


def tags(values: Mapping[str, str]) -> list[dict[str, str]]:
    """As most services take them; a character that AWS refuses becomes ``_``."""
    return [
        {"Key": name, "Value": _NOT_IN_TAGS.sub("_", value)[:256]} for name, value in values.items()
    ]


def name_of(model: str, longest: int) -> str:
    """Letters, digits and hyphens; another for every model."""
    plain = re.sub(r"[^A-Za-z0-9]+", "-", model).strip("-")
    if plain == model and len(plain) <= longest:
        return plain
    mark = hashlib.sha256(model.encode()).hexdigest()[:8]
    start = plain[: longest - 9].strip("-") or "model"
    return f"{start}-{mark}"


def wait(seen: Callable[[], str], *, during: frozenset[str], minutes: float, what: str) -> str:
    """Look until the status is none of ``during``, less often the longer it takes; return it.

    Raises ``AwsError`` where it takes longer than ``minutes``.
    """
    until = time.monotonic() + 60 * minutes
    pause = 0.2
    while True:
        status = seen()
        if status not in during:
            return status
        if time.monotonic() + pause > until:
            raise AwsError(f"AWS: {what} is still {status} after {minutes:g} minutes")
        time.sleep(pause)
        pause = min(1.5 * pause, 15)
