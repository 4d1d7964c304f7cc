"""More web processes than one: they share a socket, and none outlives the first."""

import os
import signal
import subprocess
import sys

import httpx
import psutil

from desk.settings import child_environment
from desk.wiring import Wiring
from tests.conftest import free_port
from tests.desk.test_worker import until


def test_another_process_answers_and_none_outlives_the_first(wiring: Wiring) -> None:
    port = free_port()
    environment = child_environment(wiring.settings, wiring.engine.url, wiring.secret)
    environment |= {"BREAKWATER_PORT": str(port), "BREAKWATER_WEB_PROCESSES": "2"}
    first = subprocess.Popen([sys.executable, "-m", "desk", "serve"], env=environment)
    try:
        others: list[psutil.Process] = []

        def joined() -> bool:
            others[:] = [one for one in psutil.Process(first.pid).children() if answers(port)]
            return len(others) == 1

        until(joined)
        os.kill(first.pid, signal.SIGSTOP)  # the socket stays open, and only the other accepts
        until(lambda: answers(port))
        os.kill(first.pid, signal.SIGCONT)
    finally:
        first.kill()
        first.wait()
    until(lambda: not others[0].is_running())


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/sign-in", timeout=5).is_success
    except httpx.TransportError:
        return False
