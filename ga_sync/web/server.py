"""How HTTP is served, by every command alike."""

from typing import Any

import uvicorn

from ga_sync.web.direct import Direct


def config(app: Any, **more: Any) -> uvicorn.Config:  # noqa: ANN401 -- an ASGI application, and uvicorn's options
    """What uvicorn is told: no log of addresses, which hold ids; no belief in a proxy's headers; nothing but HTTP."""
    return uvicorn.Config(
        app,
        http=Direct,
        loop="uvloop",
        ws="none",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        **({"log_level": "warning"} | more),
    )
