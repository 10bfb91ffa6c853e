"""What the container files promise: nothing runs as root, only the front is published, Redis loses nothing."""

import re
from configparser import ConfigParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.config import Model
from bot.serving.serve_model import command

ROOT = Path(__file__).parent.parent
Service = dict[str, Any]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    return loaded


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, Service]:
    found: dict[str, Service] = compose["services"]
    return found


@pytest.fixture(scope="module")
def nginx() -> str:
    return (ROOT / "deploy" / "nginx.conf").read_text("utf-8")


def options(words: list[str]) -> dict[str, str]:
    """`--name value` pairs of a command line."""
    return {name: value for name, value in pairwise(words) if name.startswith("--")}


def test_only_the_front_is_reachable_from_outside(services: dict[str, Service]) -> None:
    assert [name for name, service in services.items() if service.get("ports")] == ["nginx"]
    assert not any(service.get("network_mode") for service in services.values())


def test_redis_is_on_disk_before_an_accept_is_answered_and_never_evicts(services: dict[str, Service]) -> None:
    redis = options(services["redis"]["command"])
    assert redis["--appendonly"] == "yes"
    assert redis["--appendfsync"] == "always"
    assert redis["--maxmemory-policy"] == "noeviction"
    assert any(str(volume).endswith(":/data") for volume in services["redis"]["volumes"])


def test_redis_and_web_have_no_way_to_the_internet(compose: dict[str, Any], services: dict[str, Service]) -> None:
    assert compose["networks"]["back"]["internal"] is True
    assert services["redis"]["networks"] == ["back"]
    assert services["web"]["networks"] == ["back"]


@pytest.mark.parametrize("name", ["nginx", "web", "worker", "redis", "vllm"])
def test_a_container_can_gain_no_rights(services: dict[str, Service], name: str) -> None:
    assert services[name]["cap_drop"] == ["ALL"]
    assert services[name]["security_opt"] == ["no-new-privileges:true"]
    assert not services[name].get("privileged")
    assert "cap_add" not in services[name]


@pytest.mark.parametrize("name", ["nginx", "web", "worker", "redis"])
def test_a_container_cannot_change_its_own_image(services: dict[str, Service], name: str) -> None:
    assert services[name]["read_only"] is True


@pytest.mark.parametrize("name", ["nginx", "web", "redis", "vllm"])
def test_a_service_that_listens_has_a_health_check(services: dict[str, Service], name: str) -> None:
    check = services[name]["healthcheck"]
    assert check["test"][0] == "CMD"
    assert {"interval", "timeout", "retries", "start_period"} <= check.keys()


@pytest.mark.parametrize("name", ["web", "worker"])
def test_our_processes_wait_for_redis_and_may_take_30_seconds_to_stop(
    services: dict[str, Service], name: str
) -> None:
    assert services[name]["depends_on"]["redis"]["condition"] == "service_healthy"
    assert services[name]["stop_grace_period"] == "30s"
    assert services[name]["command"] == [name]


def test_the_model_reserves_a_gpu_and_starts_only_when_asked_for(services: dict[str, Service]) -> None:
    device = services["vllm"]["deploy"]["resources"]["reservations"]["devices"][0]
    assert device["driver"] == "nvidia"
    assert device["capabilities"] == ["gpu"]
    assert services["vllm"]["profiles"] == ["gpu"]
    assert services["vllm"]["restart"] == "always"  # it exits with code 0 when its engine dies


def test_the_model_is_served_as_the_command_does_it(services: dict[str, Service]) -> None:
    ours = ["0.0.0.0" if word == "127.0.0.1" else word for word in command(Model())]
    assert services["vllm"]["command"] == ours[2:]


def test_no_secret_is_written_down(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            if re.search(r"KEY|SECRET|TOKEN|PASSWORD", name):
                assert str(value).startswith("${"), name


def test_the_front_buffers_whole_requests_and_cuts_off_slow_clients(nginx: str) -> None:
    for setting in (
        "client_header_timeout 5s;",
        "client_body_timeout 5s;",
        "proxy_request_buffering on;",
        "proxy_next_upstream off;",
        "client_max_body_size 3m;",
    ):
        assert re.search(rf"^\s*{re.escape(setting)}", nginx, re.MULTILINE), setting


def test_the_front_passes_on_webhooks_and_health_only(nginx: str) -> None:
    assert re.findall(r"location (.+) \{", nginx) == ["/webhooks/", "= /healthz", "/"]
    assert re.search(r"location / \{\s*return 404;", nginx)


def test_the_front_logs_no_query_string(nginx: str) -> None:
    format_ = nginx[nginx.index("log_format") : nginx.index("access_log")]
    for leaky in ("$request ", '$request"', "$request_uri", "$args", "$query_string", "$http_referer"):
        assert leaky not in format_
    assert "error_log /dev/stderr crit;" in nginx


def test_the_image_does_not_run_as_root_and_keeps_no_cache() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    stage = dockerfile[dockerfile.rindex("FROM ") :]
    assert stage.startswith("FROM python:3.12-slim")
    assert re.search(r"^USER 10001", stage, re.MULTILINE)
    assert "HEALTHCHECK" in stage
    for line in dockerfile.splitlines():
        if "pip install" in line:
            assert "--no-cache-dir" in line


def test_the_image_is_built_from_the_packages_alone() -> None:
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert "*" in ignored
    kept = {line[1:] for line in ignored if line.startswith("!")}
    assert kept == {"adapters", "bot", "inference", "sessions", "setup.cfg", "pyproject.toml", "README.md"}


def test_the_procfile_names_our_process_types() -> None:
    lines = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text("utf-8").splitlines())
    assert lines == {"web": "frontdesk web", "worker": "frontdesk worker", "connect": "frontdesk connect"}


def test_every_file_that_the_code_reads_is_named_as_package_data() -> None:
    """A checkout has them anyway; an image would miss them."""
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    patterns = [pattern.strip() for pattern in setup["options.package_data"]["*"].split(",")]
    for package in ("adapters", "bot", "inference", "sessions"):
        for path in (ROOT / package).rglob("*.*"):
            if path.suffix not in (".py", ".pyc", ".md"):
                home = next(parent for parent in path.parents if (parent / "__init__.py").is_file())
                inner = path.relative_to(home)
                assert any(inner.match(pattern) for pattern in patterns if inner.parent == Path(pattern).parent), (
                    path
                )
