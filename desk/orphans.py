"""Child processes of the desk end with the one that started them, even where that was killed."""

import os
import signal
import threading
import time

LOOKS = 1.0  # seconds between two looks


def end_with_parent() -> None:
    """From now on this process is asked to stop (SIGTERM) once its parent is gone."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOKS)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
