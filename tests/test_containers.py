"""The container image and the composition: linted, and naming only what exists."""

import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from ga_sync.settings import Settings
from tests.containers.steps import Image

ROOT = Path(__file__).resolve().parent.parent
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]


def known_variables() -> set[str]:
    """Every variable that the settings read."""
    return {f"GA_SYNC_{name.upper()}" for name in Settings.model_fields}


def test_hadolint_has_nothing_to_say() -> None:
    """But for DL3059: each RUN is a program with its arguments, without a shell that could join two."""
    hadolint = Path(sys.executable).with_name("hadolint")
    command = [str(hadolint), "--no-color", "--ignore", "DL3059", str(ROOT / "Dockerfile")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.timeout(240)
def test_the_steps_of_the_dockerfile_make_a_service_that_serves_and_stops(tmp_path: Path) -> None:
    """In a clean folder, from what .dockerignore lets through; packages are those of this environment."""
    image = Image(tmp_path, packages=Path(sysconfig.get_path("purelib")))
    image.build()
    assert {one.split()[0] for one in image.left_out} == {"useradd", "install", "/opt/ga-sync/bin/pip"}
    where = image.call("/opt/ga-sync/bin/python", "-c", "import ga_sync; print(ga_sync.__file__)").strip()
    assert Path(where).is_relative_to(tmp_path / "opt")
    assert image.last["CMD"] == ["serve"]
    image.serve()


def test_every_variable_of_the_composition_exists() -> None:
    texts = [
        (ROOT / name).read_text(encoding="utf-8") for name in ("compose.yaml", ".env.example", "Dockerfile")
    ]
    named = {name for text in texts for name in re.findall(r"\bGA_SYNC_[A-Z_]+\b", text)}
    assert named <= known_variables()
    asked = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "compose.yaml").read_text(encoding="utf-8")))
    given = set(re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE))
    assert asked <= given


def test_workers_are_two_and_nothing_runs_with_more_rights_than_it_needs() -> None:
    assert SERVICES["worker"]["deploy"]["replicas"] == 2
    for name, service in SERVICES.items():
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
    for name in ("serve", "worker", "upgrade", "keyring"):
        assert SERVICES[name]["read_only"], name


def test_data_and_keys_are_apart_and_only_the_doors_are_published_here() -> None:
    environment = SERVICES["serve"]["environment"]
    assert "@data/" in environment["GA_SYNC_DATABASE_URL"]
    assert "@keys/" in environment["GA_SYNC_KEYRING_URL"]
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"serve": ["127.0.0.1:8000:8000"]}


def test_nothing_starts_before_both_stores_and_the_keyring_are_made() -> None:
    done = {"condition": "service_completed_successfully"}
    assert SERVICES["keyring"]["depends_on"] == {"upgrade": done}
    for name in ("serve", "worker"):
        assert SERVICES[name]["depends_on"] == {"keyring": done}
