"""The OpenAPI document is true: schemathesis asks every address, rightly and wrongly, as three roles and a stranger.

`make contract` asks more often (`EXAMPLES=…`). The service is one of its own for each role: what is asked destroys.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn

from ga_sync.web.app import create_app
from ga_sync.web.server import config
from tests.web.bench import House, house, template

EXAMPLES = os.environ.get("GA_SYNC_TEST_SCHEMA_EXAMPLES", "")
BOUNDARIES = {"console"}  # every boundary of every value takes a while: as who may ask the most
ROOT = Path(__file__).parent.parent.parent
CONFIGURATION = """
hooks = "{hooks}"
headers = {{ {headers} }}
workers = 1
continue-on-failure = true
[parameters]
"path.link_id" = "{link}"
"path.grant_id" = "{grant}"
"path.number" = "{number}"
"path.segment_id" = "{segment}"
"path.day" = "2026-11-22"
[checks]
# A revoked grant and a removed link stay to be read: their receipts are the proof.
use_after_free.enabled = false
# Says also what the document cannot: tests/web/meaning.py instead.
positive_data_acceptance.enabled = false
# A paused link answers so before its body is read.
negative_data_rejection.expected-statuses = [{refusals}]
[phases.stateful]
enabled = false
[[operations]]
# They would end the link that all others ask: last, in a run of their own.
include-method = "DELETE"
enabled = {destroying}
[[operations]]
exclude-method = "DELETE"
enabled = {asking}
"""


@contextmanager
def _served(found: House) -> Iterator[str]:
    server = uvicorn.Server(config(create_app(found.service), port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        thread.join(0.01)
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


def _ask(found: House, url: str, role: str, folder: Path, link: str, grant: str, *, destroying: bool) -> None:
    segment = "1" if destroying else _segment(found, link)
    key = found.headers(role).get("authorization", "") if role != "stranger" else ""
    configured = CONFIGURATION.format(
        refusals=", ".join(
            f'"{one}"' for one in (400, 401, 403, 404, 405, 406, 409, 415, 422, 423, 429, "5xx")
        ),
        hooks=Path(__file__).with_name("meaning.py"),
        headers=f'Authorization = "{key}"' if key else "",
        link=link,
        grant=grant,
        segment=segment,
        number="1" if destroying else found.property_of(grant).removeprefix("properties/"),
        destroying=str(destroying).lower(),
        asking=str(not destroying).lower(),
    )
    (folder / "schemathesis.toml").write_text(configured)
    program = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", "schemathesis.toml"]
    phases = "coverage,fuzzing" if EXAMPLES or role in BOUNDARIES else "fuzzing"
    asked = ["run", f"{url}/openapi.json", "-n", EXAMPLES or "4", "--phases", phases, "--no-color"]
    asked.append("--generation-deterministic")
    done = subprocess.run([*program, *asked], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Tested: " in done.stdout


def _segment(found: House, link: str) -> str:
    return str(found.call("GET", f"/v1/links/{link}/segments")["segments"][0]["segment_id"])


@pytest.mark.timeout(600)
@pytest.mark.parametrize("role", ["admin", "console", "store", "stranger"])
def test_every_address_keeps_to_its_document(role: str, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("template", "house", "asked")]
    for folder in folders:
        folder.mkdir()
    with template(folders[0], None) as source, house(source, folders[1]) as found, _served(found) as url:
        grant, link = found.linked()
        for destroying in (False, True) if role != "stranger" else (False,):
            _ask(found, url, role, folders[2], link, grant, destroying=destroying)
