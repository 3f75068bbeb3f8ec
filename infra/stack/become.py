"""Says who it is, gives up its rights, and becomes the command.

Run as a script, by ``processes``: the process itself notes its id before it turns into the server,
so that there is no moment in which a server runs and nobody knows. Whoever started it may die.
"""

import json
import os
import pwd
import sys
from pathlib import Path

import psutil


def main(note: str, user: str, *command: str) -> None:
    """``user`` is empty where it stays who it is."""
    place = Path(note)
    aside = place.with_name(f".{place.name}.{os.getpid()}")
    known = {"pid": os.getpid(), "started": psutil.Process().create_time()}
    aside.write_text(json.dumps(known), encoding="utf-8")
    aside.replace(place)
    if user:
        who = pwd.getpwnam(user)
        os.initgroups(user, who.pw_gid)
        os.setgid(who.pw_gid)
        os.setuid(who.pw_uid)
    os.execvp(command[0], command)  # noqa: S606  a list, no shell


if __name__ == "__main__":
    main(*sys.argv[1:])
