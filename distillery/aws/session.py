"""Who asks AWS, where, and what goes wrong there in one clear line."""

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
)
from botocore.exceptions import (
    ConnectionError as NoConnectionError,
)

from distillery.errors import UserError

_LOG_IN = "log in again (aws sso login, aws configure), or set AWS_PROFILE"
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
_UNKNOWN = {
    "AuthFailure",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403"}
# IAM's names, where the answer does not tell them; all else that is asked is EC2's
_ACTIONS = {
    "GetAWSDefaultServiceQuota": "servicequotas:GetAWSDefaultServiceQuota",
    "GetParameter": "ssm:GetParameter",
    "GetProducts": "pricing:GetProducts",
    "GetServiceQuota": "servicequotas:GetServiceQuota",
    "HeadBucket": "s3:ListBucket",
    "ListObjectsV2": "s3:ListBucket",
    "HeadObject": "s3:GetObject",
    "GetObject": "s3:GetObject",
    "PutObject": "s3:PutObject",
    "DeleteObject": "s3:DeleteObject",
}


class UnreachableError(UserError):
    """No answer: the network, or AWS, which may come back."""


@dataclass(frozen=True, kw_only=True)
class Session:
    """An identity in a region; clients are made once each, and are safe to share by threads."""

    account: str
    arn: str
    region: str
    _boto3: boto3.Session = field(repr=False)
    _clients: dict[str, Any] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def client(self, service: str, *, region: str | None = None, attempts: int = 5) -> Any:
        """A service's client; ``attempts`` in all, the first one included."""
        key = f"{service} {region or self.region} {attempts}"
        with self._lock:  # making one is not thread-safe
            if key not in self._clients:
                self._clients[key] = _client(self._boto3, service, region or self.region, attempts)
            return self._clients[key]


def open_session(region: str | None) -> Session:
    """Asks AWS who we are. Raises ``UserError`` where that fails, or where there is no region."""
    with clear_errors("AWS does not say who you are"):
        # boto3 reads AWS_DEFAULT_REGION alone; every other SDK, and the shell on AWS, AWS_REGION
        session = boto3.Session(region_name=region or os.environ.get("AWS_REGION"))
        where = session.region_name
        if where is None:
            raise UserError("no AWS region is set; set aws.region, or AWS_REGION")
        who = _client(session, "sts", where, 3).get_caller_identity()
        return Session(account=who["Account"], arn=who["Arn"], region=where, _boto3=session)


def _client(session: boto3.Session, service: str, region: str, attempts: int) -> Any:
    config = Config(
        retries={"total_max_attempts": attempts, "mode": "standard"},
        connect_timeout=10,
        read_timeout=60,
        signature_version="s3v4" if service == "s3" else None,
    )
    return session.client(service, region_name=region, config=config)


@contextmanager
def clear_errors(doing: str) -> Iterator[None]:
    """Turns what boto3 raises into a ``UserError`` that begins with ``doing``."""
    try:
        yield
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise UserError(
            "no AWS credentials were found; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY"
        ) from error
    except (SSOError, CredentialRetrievalError) as error:
        raise UserError(f"the AWS credentials cannot be read: {_line(error)}; {_LOG_IN}") from error
    except ProfileNotFound as error:
        raise UserError(f"{_line(error)}; set AWS_PROFILE to one of ~/.aws/config") from error
    except NoRegionError as error:
        raise UserError("no AWS region is set; set aws.region, or AWS_REGION") from error
    except (NoConnectionError, HTTPClientError) as error:
        raise UnreachableError(
            f"{doing}: AWS cannot be reached: {_line(error)}; look at the network and the region"
        ) from error
    except ClientError as error:
        raise UserError(in_words(error, doing)) from error
    except BotoCoreError as error:
        raise UserError(f"{doing}: {_line(error)}") from error


def code_of(error: ClientError) -> str:
    """Such as ``InsufficientInstanceCapacity``."""
    return str(error.response.get("Error", {}).get("Code", ""))


def in_words(error: ClientError, doing: str) -> str:
    """One line, with the mend where one is known."""
    code = code_of(error)
    message = _line(error.response.get("Error", {}).get("Message", "") or error)
    if code in _EXPIRED:
        return f"the AWS credentials have expired; {_LOG_IN}"
    if code in _UNKNOWN:
        return f"AWS does not know these credentials ({code}); {_LOG_IN}"
    if code in _DENIED:
        return (
            f"{doing}: the permission {action_of(error)} is missing; attach the policy of "
            "infra/aws/benchmark.yaml"
        )
    return f"{doing}: {message} ({code})"


def action_of(error: ClientError) -> str:
    """IAM's name of what was refused, such as ``ec2:RunInstances``."""
    message = str(error.response.get("Error", {}).get("Message", ""))
    named = re.search(r"perform: ?([a-z0-9-]+:[A-Za-z]+)", message)
    if named:
        return named.group(1)
    operation = str(error.operation_name)
    return _ACTIONS.get(operation, f"ec2:{operation}")


def _line(what: object) -> str:
    return " ".join(str(what).split())[:300]
