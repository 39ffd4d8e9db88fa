"""A picture, video or document behind an address, fetched into memory within limits."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request

from segtune.errors import ImageError

SCHEMES = ("http://", "https://")
MAX_BYTES = 100 * 1024 * 1024
SILENCE_S = 15.0  # without a byte from the server
TIMEOUT_S = 60.0  # for the whole of it
_CHUNK_BYTES = 1 << 16


def is_url(place: str) -> bool:
    """Return whether a place is an address that `fetch` takes."""
    return place.lower().startswith(SCHEMES)


def fetch(url: str) -> bytes:
    """Return what is behind an http or https address.

    Redirections stay within these two schemes.

    Raises:
        ImageError: The server is not there, refuses, sends more than MAX_BYTES, or takes longer
            than TIMEOUT_S.
    """
    deadline = time.monotonic() + TIMEOUT_S
    chunks: list[bytes] = []
    have = 0
    try:
        request = urllib.request.Request(url, headers={"User-Agent": "segtune"})
        with _opener().open(request, timeout=SILENCE_S) as response:
            while chunk := response.read1(_CHUNK_BYTES):
                chunks.append(chunk)
                have += len(chunk)
                if have > MAX_BYTES:
                    raise _refused(
                        url,
                        f"the download is larger than {MAX_BYTES // 1024**2} MiB",
                        "download it yourself and give the file",
                    )
                if time.monotonic() > deadline:
                    raise TimeoutError(f"it was not complete after {TIMEOUT_S:g} s")
    except (OSError, ValueError, http.client.HTTPException) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        cause = error.reason if type(error) is urllib.error.URLError else error
        raise _refused(
            url,
            f"the download failed: {cause or type(error).__name__}",
            "check the address and the network, or download it yourself and give the file",
        ) from error
    return b"".join(chunks)


def _opener() -> urllib.request.OpenerDirector:
    """Return what opens http and https, follows their redirections, and knows no other scheme."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.UnknownHandler,
    ):
        opener.add_handler(handler())
    return opener


def _refused(url: str, problem: str, remedy: str) -> ImageError:
    return ImageError(problem, where=url, remedy=remedy)
