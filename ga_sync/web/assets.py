"""The stylesheet, the script and the icon: three small files of our own, nothing from anywhere else."""

from pathlib import Path

from litestar import Response, get

_FOLDER = Path(__file__).parent / "static"
_KEPT = {"cache-control": "max-age=3600"}
SCRIPT = (_FOLDER / "ga-sync.js").read_bytes()
ICON = (_FOLDER / "icon.svg").read_bytes()


@get("/static/ga-sync.js", sync_to_thread=False, include_in_schema=False)
def script() -> Response[bytes]:
    """The script: pages work without it."""
    return Response(SCRIPT, media_type="text/javascript", headers=_KEPT)


@get("/static/icon.svg", sync_to_thread=False, include_in_schema=False)
def icon() -> Response[bytes]:
    """The icon."""
    return Response(ICON, media_type="image/svg+xml", headers=_KEPT)
