"""The media of a bridge from Discord: stores each attachment while its URL is valid, and links to the stored copy.

Standard input takes the place of Discord: one URL of an attachment on each line. With discord.py, it is ``attachment.url`` in ``on_message``.
"""

import asyncio
import sys
from urllib.parse import parse_qsl, urlencode, urlsplit

from media_cache import Client, MediaCacheError

#: The parameters with which Discord signs a URL. After a day, Discord no longer accepts them.
SIGNATURE = {"ex", "is", "hm"}


def lasting(url: str) -> str:
    """The URL of an attachment without the signature. The service stores the attachment under this URL."""
    parts = urlsplit(url)
    query = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name not in SIGNATURE]
    return parts._replace(query=urlencode(query), fragment="").geturl()


async def link(service: Client, public: Client, url: str) -> str:
    """Makes the service store an attachment, and returns the link for users of the other network."""
    await service.get_or_download(url)
    return public.media_url(lasting(url))


async def main(service_url: str, public_url: str, key_file: str) -> None:
    with open(key_file, "rb") as file:
        key = file.readline().strip()
    service, public = Client(service_url, signing_key=key), Client(public_url, signing_key=key)
    while url := (await asyncio.to_thread(sys.stdin.readline)).strip():
        try:
            print(await link(service, public, url), flush=True)
        except MediaCacheError as error:
            print(f"{url}: {error}", flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
