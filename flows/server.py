"""The Prefect server that the settings name, if any."""

import urllib.error
import urllib.request

from distillery.errors import UserError

_REACH_SECONDS = 10


def reach_server() -> None:
    """Ask whether it lives; without one, Prefect starts a temporary server of its own.

    Raises ``UserError`` within seconds where it does not answer.
    """
    from prefect.settings import PREFECT_API_URL

    url = PREFECT_API_URL.value()
    if url is None:
        return
    try:
        urllib.request.urlopen(f"{url.rstrip('/')}/health", timeout=_REACH_SECONDS).close()  # noqa: S310
    except urllib.error.HTTPError:
        return  # it answers
    except (OSError, ValueError) as error:
        raise UserError(
            f"the Prefect server {url} does not answer ({getattr(error, 'reason', error)}); start "
            "it, or unset PREFECT_API_URL to use a temporary one"
        ) from error
