"""The HAProxy example, as it is shipped, before two APIs of one cloud."""

import re
import shutil
import subprocess
import threading
from collections import Counter
from pathlib import Path

import psutil
import pytest

from tests.processes.processes import Processes
from tests.support.command import free_port, until

pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which("haproxy") is None, reason="needs Debian's haproxy")]
EXAMPLE = Path(__file__).parents[2] / "docs/examples/haproxy.cfg"


def config(front: int, apis: list[int]) -> str:
    """The example with the addresses of this test."""
    ports = {"192.0.2.10:8780": front, "192.0.2.11:8780": apis[0], "192.0.2.12:8780": apis[1]}
    return re.sub(r"192\.0\.2\.\d+:8780", lambda found: f"127.0.0.1:{ports[found[0]]}", EXAMPLE.read_text())


def test_reading_goes_on_while_an_api_dies_and_comes_back(cloud: Processes, tmp_path: Path) -> None:
    front, second = free_port(), int(cloud.second.rsplit(":")[-1])
    file = tmp_path / "haproxy.cfg"
    file.write_text(config(front, [int(cloud.first.rsplit(":")[-1]), second]))
    url = f"http://127.0.0.1:{front}"
    words = ("api", "--port", str(second))
    with cloud.more(*words) as api:
        until(lambda: cloud.answers(cloud.second), what="the second API answers")
        proxy = subprocess.Popen(["haproxy", "-f", str(file)])
        try:
            until(lambda: cloud.answers(url), what="HAProxy answers")
            token = cloud.token(url)
            answers: Counter[int] = Counter()
            ended = threading.Event()

            def read() -> None:
                while not ended.is_set():
                    answers[cloud.call("GET", url, "/compute/v2.1/servers", token).status_code] += 1

            readers = [threading.Thread(target=read) for _ in range(4)]
            for reader in readers:
                reader.start()
            until(lambda: answers[200] > 50)
            psutil.Process(api.pid).kill()
            before = answers[200]
            until(lambda: answers[200] > before + 100)
            with cloud.more(*words):
                until(lambda: cloud.answers(cloud.second), what="the second API is back")
                before = answers[200]
                until(lambda: answers[200] > before + 100)
                ended.set()
                for reader in readers:
                    reader.join()
            assert set(answers) == {200}
            links = cloud.call("GET", url, "/compute/v2.1/", token, headers={}).json()["version"]["links"]
            assert links[0]["href"].startswith(url)
        finally:
            proxy.terminate()
            proxy.wait(10)
