"""Whether a test and the programs that it runs do nothing but wait for each other; what Linux says of their threads."""

import os
import pathlib
import re
import threading


class Stillness:
    """Of this process without the calling thread, of its children, and of the connections to one port of this machine."""

    def __init__(self, port):
        self._port = f":{port:04X}"
        self._before = None

    def lasts(self):
        """True if all threads sleep, none has run since the last call, and nothing that was sent is still to be read. How
        slow a machine is does not matter: a thread that waits for a processor does not sleep."""
        before, self._before = self._before, self._threads()
        return self._before is not None and self._before == before and self._all_is_read()

    @staticmethod
    def _threads():
        """How often each thread has gone to sleep or been interrupted; none if one does not sleep."""
        own = pathlib.Path(f"/proc/{os.getpid()}/task")
        threads = {}
        try:
            children = {pid for task in own.iterdir() for pid in (task / "children").read_text().split()}
            for process in (own, *(pathlib.Path(f"/proc/{pid}/task") for pid in children)):
                for task in process.iterdir():
                    if task.name == str(threading.get_native_id()):
                        continue
                    status = (task / "status").read_text()
                    if not re.search(r"^State:\s+S", status, re.MULTILINE):
                        return None
                    threads[task.name] = re.findall(r"ctxt_switches:\s+(\d+)", status)
        except (FileNotFoundError, ProcessLookupError):
            return None  # it has ended meanwhile
        return threads

    def _all_is_read(self):
        """Of a socket that listens, what is to be read are connections."""
        for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
            _, local, remote, _, queues, *_ = line.split()
            if self._port in (local[-5:], remote[-5:]) and int(queues.partition(":")[2], 16) > 0:
                return False
        return True
