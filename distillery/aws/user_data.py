"""The script that an instance starts with: a timer first, then a trap, then the runner."""

from shlex import quote

MOST_BYTES = 16_384

_SCRIPT = """#!/bin/bash
shutdown -h +{minutes}
WORK=$(mktemp -d "${{TMPDIR:-/var/tmp}}/distillery.XXXXXX")
exec >"$WORK/log.txt" 2>&1
finish() {{
  curl -sS --retry 5 --max-time 120 -T "$WORK/log.txt" {log_url}
  shutdown -h now
}}
trap finish EXIT
set -eu
cd "$WORK"
curl -fsS --retry 5 -o runner.py {runner_url}
curl -fsS --retry 5 -o job.json {job_url}
sha256sum --check --strict <<'EOF'
{runner_sha256}  runner.py
{job_sha256}  job.json
EOF
python3 runner.py job.json
"""


def script(
    *,
    minutes: int,
    runner_url: str,
    runner_sha256: str,
    job_url: str,
    job_sha256: str,
    log_url: str,
) -> str:
    """Bash. Whatever ends it, the log is put and the machine shut down; the timer needs no trap.

    Raises ``ValueError`` where EC2 would refuse it as too long.
    """
    text = _SCRIPT.format(
        minutes=minutes,
        runner_url=quote(runner_url),
        runner_sha256=runner_sha256,
        job_url=quote(job_url),
        job_sha256=job_sha256,
        log_url=quote(log_url),
    )
    size = len(text.encode())
    if size > MOST_BYTES:
        raise ValueError(f"the user data takes {size} bytes; EC2 takes at most {MOST_BYTES}")
    return text
