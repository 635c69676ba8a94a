"""A real S3 server on the loopback, with one bucket."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import httpx
from moto.server import ThreadedMotoServer

from pileus.core.config import S3Store

BUCKET, ACCESS_KEY, SECRET = "images", "an-access-key", "not to be seen anywhere"


class Bucket:
    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.client: Any = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET,
        )
        self.empty()

    def empty(self) -> None:
        """A process has one memory for all its servers: what earlier ones were given is still there."""
        httpx.post(f"{self.endpoint}/moto-api/reset").raise_for_status()
        self.client.create_bucket(Bucket=BUCKET)

    def keys(self) -> list[str]:
        return [each["Key"] for each in self.client.list_objects_v2(Bucket=BUCKET).get("Contents", ())]

    def uploads(self) -> list[str]:
        return [each["Key"] for each in self.client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", ())]

    def store(self, directory: Path, **more: Any) -> S3Store:
        """The options for it; the secret lies in `directory`."""
        secret = directory / "s3-secret"
        secret.write_text(SECRET + "\n")
        return S3Store(endpoint=self.endpoint, bucket=BUCKET, access_key=ACCESS_KEY, secret_file=secret, **more)


@contextmanager
def s3_server() -> Iterator[Bucket]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield Bucket(f"http://{host}:{port}")
    finally:
        server.stop()
