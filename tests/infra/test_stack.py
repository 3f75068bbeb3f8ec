"""The stack as a whole: real servers, started once."""

import base64
import http.client
import io
import json
import os
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import boto3
import psutil
import psycopg
import pytest
from team import Team, free_ports

from distillery.errors import UserError
from infra.stack import postgres
from infra.stack.settings import MLFLOW_BUCKET, Ports
from infra.stack.stack import Stack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

_REPOSITORY = Path(__file__).parents[2]


def _mlflow(team: Team, path: str, *, password: str | None, body: object = None) -> int:
    settings = team.stack.settings
    request = urllib.request.Request(
        f"{settings.mlflow_address}/api/2.0/mlflow/{path}",
        None if body is None else json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    if password is not None:
        token = base64.b64encode(f"admin:{password}".encode()).decode()
        request.add_header("Authorization", f"Basic {token}")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def _s3(team: Team) -> Any:
    named = team.environment
    return boto3.client(
        "s3",
        endpoint_url=named["AWS_ENDPOINT_URL"],
        aws_access_key_id=named["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=named["AWS_SECRET_ACCESS_KEY"],
        region_name=named["AWS_DEFAULT_REGION"],
    )


def _command(team: Team, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "infra.stack", *arguments],
        env={**os.environ, "DISTILLERY_STORAGE": str(team.folder / "storage")},
        cwd=_REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_server_answers(team: Team) -> None:
    settings = team.stack.settings
    with psycopg.connect(settings.database("prefect")) as connection:
        assert connection.execute("select count(*) from deployment").fetchone() == (10,)
    assert team.prefect("GET", "/health") == (200, True)
    buckets = {bucket["Name"] for bucket in _s3(team).list_buckets()["Buckets"]}
    assert buckets == {"distillery", MLFLOW_BUCKET}
    ready = [line.split()[0] for line in team.said]
    assert set(ready) == {*("PostgreSQL", "S3", "MLflow", "Prefect", "Worker", "Webhooks", "Flows")}
    assert _command(team, "status").returncode == 0


def test_mlflow_lets_in_only_who_knows_the_password(team: Team) -> None:
    path = "experiments/get?experiment_id=0"
    assert _mlflow(team, path, password=None) == 401
    assert _mlflow(team, path, password="guess") == 401
    assert _mlflow(team, path, password=team.stack.settings.secrets.mlflow) == 200


def test_a_wrong_password_is_said_in_one_line(team: Team) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", "predict", "models:/any@champion", "text"],
        env={**team.environment, "MLFLOW_TRACKING_PASSWORD": "guess"},
        cwd=_REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert "does not know who asks; set MLFLOW_TRACKING_USERNAME and" in line


def test_the_store_answers_by_whatever_name_it_has(team: Team) -> None:
    _s3(team).put_object(Bucket="distillery", Key="named/1", Body=b"1")
    connection = http.client.HTTPConnection("127.0.0.1", team.stack.settings.ports.store)
    # as containers ask it
    connection.request(
        "GET", "/distillery?list-type=2&prefix=named/", headers={"Host": "store:9000"}
    )
    answer = connection.getresponse()
    assert answer.status == 200
    assert b"<Key>named/1</Key>" in answer.read()
    connection.close()


def test_secrets_are_for_their_owner_and_in_no_command_line(team: Team) -> None:
    folder = team.stack.settings.folder
    for name in ("settings.json", "env", "mlflow-auth.ini"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    secrets = team.stack.settings.secrets.model_dump().values()
    for name in team.stack.services:
        process = psutil.Process(team.stack.pid(name))
        for one in [process, *process.children(recursive=True)]:
            said = " ".join(one.cmdline())
            assert not any(secret in said for secret in secrets), said


def test_servers_listen_on_loopback_alone(team: Team) -> None:
    listening = set()
    for name in team.stack.services:
        process = psutil.Process(team.stack.pid(name))
        for one in [process, *process.children(recursive=True)]:
            listening |= {
                (found.laddr.ip, found.laddr.port)
                for found in one.net_connections("tcp")
                if found.status == psutil.CONN_LISTEN
            }
    ports = set(team.stack.settings.ports.model_dump().values())
    assert {port for _, port in listening} >= ports
    assert {ip for ip, _ in listening} == {"127.0.0.1"}


def test_a_shell_that_sources_the_file_has_the_environment(team: Team) -> None:
    file = team.stack.settings.folder / "env"
    done = subprocess.run(
        ["sh", "-c", 'set -a; . "$1"; exec env', "sh", str(file)],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    found = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert found.items() >= team.stack.settings.environment.items()


def test_starting_again_is_harmless(team: Team) -> None:
    before = {name: team.stack.pid(name) for name in team.stack.services}
    done = _command(team, "start")
    assert done.returncode == 0, done.stderr
    assert {name: team.stack.pid(name) for name in team.stack.services} == before
    assert f"set -a; . {team.stack.settings.folder / 'env'}" in done.stdout


def test_other_ports_are_refused_while_it_runs(team: Team) -> None:
    done = _command(team, "start", "--mlflow-port", str(free_ports(1)[0]))
    assert done.returncode == 2
    assert "the stack runs, on other ports; `make stack-stop` first" in done.stderr


def test_a_schedule_fires_and_the_worker_carries_it_out(team: Team) -> None:
    runs = team.eventually(
        lambda: team.prefect(
            "POST",
            "/flow_runs/filter",
            {
                "flows": {"name": {"any_": ["reconcile"]}},
                "flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}},
                "limit": 1,
            },
        )[1],
        within_s=180,
    )
    assert runs[0]["auto_scheduled"]


@pytest.mark.parametrize("name", ["postgres", "store", "mlflow", "prefect", "worker"])
def test_one_that_was_killed_can_be_started_again(team: Team, name: str) -> None:
    password = team.stack.settings.secrets.mlflow
    experiment = f"before-{name}"
    assert _mlflow(team, "experiments/create", password=password, body={"name": experiment}) == 200
    _s3(team).put_object(Bucket="distillery", Key=f"kept/{name} é", Body=b"\n\nbytes")
    killed = team.stack.pid(name)
    team.stack.kill(name)
    assert team.stack.pid(name) is None
    assert _command(team, "status").returncode == 1
    team.stack.restart(name)
    assert team.stack.pid(name) not in (None, killed)
    found = _s3(team).get_object(Bucket="distillery", Key=f"kept/{name} é")["Body"].read()
    assert found == b"\n\nbytes"
    path = f"experiments/get-by-name?experiment_name={experiment}"
    assert _mlflow(team, path, password=password) == 200


def test_objects_that_were_removed_stay_so(team: Team) -> None:
    client = _s3(team)
    for key in ("gone/1", "gone/2", "gone/3", "kept/3"):
        client.put_object(Bucket="distillery", Key=key, Body=key.encode())
    large = os.urandom(9 << 20)  # in parts
    client.upload_fileobj(io.BytesIO(large), "distillery", "kept/large")
    client.delete_object(Bucket="distillery", Key="gone/1")
    several = [{"Key": "gone/2"}, {"Key": "gone/3"}]
    client.delete_objects(Bucket="distillery", Delete={"Objects": several})
    team.stack.kill("store")
    team.stack.restart("store")
    found = _s3(team).list_objects_v2(Bucket="distillery", Prefix="gone/")
    assert found["KeyCount"] == 0
    assert _s3(team).get_object(Bucket="distillery", Key="kept/large")["Body"].read() == large


def test_stopping_ends_all_it_started_and_nothing_else(team: Team) -> None:
    _s3(team).put_object(Bucket="distillery", Key="kept/before", Body=b"1")
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    family = []
    for name in team.stack.services:
        process = psutil.Process(team.stack.pid(name))
        family += [process, *process.children(recursive=True)]
    try:
        # by another process than the one that started it
        done = _command(team, "stop")
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == "ended: receiver, worker, prefect, mlflow, store, postgres"
        alive = [one for one in family if one.is_running() and one.status() != "zombie"]
        assert alive == []
        assert bystander.poll() is None
        assert _command(team, "stop").stdout.strip() == "nothing of the stack runs here"
        assert _command(team, "status").returncode == 1
    finally:
        bystander.kill()
        bystander.wait()
        team.stack.start()
    with psycopg.connect(team.stack.settings.database("prefect")) as connection:
        (count,) = connection.execute("select count(*) from deployment").fetchone() or (0,)
    assert count == 10, "everything is as it was"
    assert _s3(team).list_objects_v2(Bucket="distillery", Prefix="kept/")["KeyCount"] > 0


def _new(folder: Path) -> Stack:
    ports = dict(zip(Ports.model_fields, free_ports(len(Ports.model_fields)), strict=True))
    return Stack.at(folder, lambda line: None, **ports)


def test_a_taken_port_is_named_and_nothing_is_started(team: Team, tmp_path: Path) -> None:
    _new(tmp_path / "stack")
    taken = team.stack.settings.ports.mlflow
    stack = Stack.at(tmp_path / "stack", lambda line: None, mlflow=taken)
    with pytest.raises(UserError) as refused:
        stack.start()
    assert str(refused.value) == (
        f"port {taken} for MLflow is taken; end what runs there, or choose another: "
        'make stack STACK="--mlflow-port …"'
    )
    assert stack.running() == []


def test_one_that_does_not_start_is_said_with_its_log(tmp_path: Path) -> None:
    if postgres.binaries() is None:
        pytest.skip("PostgreSQL is not installed")
    stack = _new(tmp_path / "stack")
    data = postgres.data_folder(stack.settings.folder)
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("0")
    try:
        with pytest.raises(UserError) as refused:
            stack.start()
    finally:
        (data / "PG_VERSION").unlink()
        data.rmdir()
    said = str(refused.value)
    assert said.startswith("PostgreSQL did not start: ")
    assert said.endswith(f"its lines are in {stack.log('postgres')}")
    assert stack.running() == [], "what was started was ended again"
