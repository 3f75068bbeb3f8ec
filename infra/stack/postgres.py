"""PostgreSQL from the machine's own binaries, over a data folder of the stack's."""

import hashlib
import os
import pwd
import shutil
import subprocess
from pathlib import Path

import psycopg
from psycopg import sql

from distillery.errors import UserError
from infra.stack.settings import DATABASES, Settings, write_private

_DEBIAN = Path("/usr/lib/postgresql")
_BESIDE = Path("/var/lib/distillery")
_SYSTEM_USER = "postgres"


def binaries() -> Path | None:
    """The folder of the newest PostgreSQL here, or None."""
    found = sorted(_DEBIAN.glob("*/bin/postgres"), key=lambda path: _number(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("postgres")
    return Path(on_path).resolve().parent if on_path else None


def _number(version: str) -> float:
    try:
        return float(version)
    except ValueError:
        return 0


def installed() -> Path:
    """The same, installed with apt-get where it is missing and we may.

    Raises ``UserError`` where it is missing and we may not, or where that fails.
    """
    found = binaries()
    if found is not None:
        return found
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise UserError(
            "PostgreSQL is not on this machine; install it (Debian, Ubuntu: "
            "`sudo apt-get install postgresql`), then run the same command again"
        )
    # no server of the package's own is wanted
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for command in ("update", "install --yes --no-install-recommends postgresql"):
        done = subprocess.run(
            ["apt-get", *command.split()],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            said = (done.stderr.strip() or "it said nothing").splitlines()[-1]
            raise UserError(
                f"`apt-get {command}` failed: {said[:200]}; install PostgreSQL, then run again"
            )
    found = binaries()
    if found is None:
        raise UserError("Debian's postgresql package holds no server; install PostgreSQL yourself")
    return found


def runs_as() -> str:
    """Whose process the server is: empty where it is ours, since it refuses to be root's."""
    if os.geteuid() != 0:
        return ""
    try:
        pwd.getpwnam(_SYSTEM_USER)
    except KeyError:
        raise UserError(
            "PostgreSQL does not run as root, and there is no user 'postgres'; make one "
            "(`adduser --system postgres`), or run `make stack` as another user"
        ) from None
    return _SYSTEM_USER


def data_folder(stack: Path) -> Path:
    """In the stack's folder; or, where the user ``postgres`` may not go there, beside /var/lib's.

    A checkout in root's home is such a place.
    """
    user = runs_as()
    inside = stack / "postgres"
    if not user or inside.exists() or all(map(_may_enter, stack.resolve().parents)):
        return inside
    return _BESIDE / hashlib.sha256(str(stack.resolve()).encode()).hexdigest()[:12]


def _may_enter(folder: Path) -> bool:
    try:
        return bool(folder.stat().st_mode & 0o001)
    except FileNotFoundError:
        return True  # we shall make it


def make(settings: Settings, data: Path) -> None:
    """The data folder, whole or not at all."""
    if (data / "PG_VERSION").exists():
        return
    user = runs_as()
    making = data.with_name(f"{data.name}.new")
    making.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(mode=0o700)
    if user:
        shutil.chown(making, user, user)
    password = making.with_name("password")
    write_private(password, settings.secrets.postgres)
    if user:
        shutil.chown(password, user, user)
    try:
        done = subprocess.run(
            [
                str(installed() / "initdb"),
                *("--pgdata", str(making), "--username", "distillery", "--encoding", "UTF8"),
                *("--locale", "C.UTF-8", "--auth", "scram-sha-256", "--pwfile", str(password)),
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            cwd="/",
            user=user or None,
            group=user or None,
            extra_groups=[] if user else None,
        )
    finally:
        password.unlink()
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"]
        raise UserError(f"PostgreSQL's initdb failed in {making}: {said[-1][:200]}")
    making.rename(data)


def command(settings: Settings, data: Path) -> tuple[str, ...]:
    """On loopback alone, by password, without a socket file: its path may be too long for one."""
    options = {
        "listen_addresses": "127.0.0.1",
        "port": settings.ports.postgres,
        "unix_socket_directories": "",
        "max_connections": 200,
    }
    set_ = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    return (str(installed() / "postgres"), "-D", str(data), *set_)


def answers(settings: Settings) -> bool:
    """Whether it lets us in; the databases are made where they are missing."""
    try:
        with psycopg.connect(
            settings.database("postgres"), autocommit=True, connect_timeout=2
        ) as connection:
            there = {name for (name,) in connection.execute("select datname from pg_database")}
            for name in DATABASES:
                if name not in there:
                    connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    except psycopg.OperationalError:
        return False
    return True
