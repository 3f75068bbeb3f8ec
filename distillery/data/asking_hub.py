"""Whether the Hugging Face hub is there, told in seconds.

Its own client asks six times for every file, with growing pauses: good for a download that has
begun, but half a minute and more before one hears that there is no network.
"""

import time

_TIMEOUT_SECONDS = 10  # the client's own, for each time it asks


def ask_hub(source: str, file: str, repo_type: str) -> None:
    """Ask twice, unless ``file`` of this source was asked for before and may be cached.

    Any answer will do. Raises ``ConnectionError`` where there is none.
    """
    from huggingface_hub import constants, get_session, try_to_load_from_cache

    if constants.is_offline_mode():
        return  # told at once anyway
    if try_to_load_from_cache(source, file, repo_type=repo_type) is not None:
        return
    for tries_left in (1, 0):
        try:
            get_session().head(constants.ENDPOINT, timeout=_TIMEOUT_SECONDS)
            return
        except Exception as error:  # whatever transports raise
            if not tries_left:
                raise ConnectionError(f"{constants.ENDPOINT} does not answer: {error}") from error
            time.sleep(1)
