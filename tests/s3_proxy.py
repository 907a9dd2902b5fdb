"""An S3 server for tests: moto, behind a proxy that counts requests, delays them and makes them fail."""

import contextlib
import dataclasses
import http.client
import http.server
import logging
import select
import socket
import struct
import threading
import time
import urllib.parse
import xml.sax.saxutils

import boto3
from moto.server import ThreadedMotoServer

from stillness import Stillness

BUCKET = "tables"
KEYS = {"aws_access_key_id": "the-key-id", "aws_secret_access_key": "the/secret+key", "region": "us-east-1"}


@dataclasses.dataclass
class Request:
    """One request, as the client sees it: from its arrival to its last byte."""

    method: str
    path: str
    range: str | None
    signed: bool
    key: str | None
    token: str | None
    begin: float
    end: float = 0.0
    status: int = 0
    bytes: int = 0
    step: int = 0  # see Proxy.in_step

    @property
    def is_listing(self):
        return self.path.startswith("?") or "list-type=2" in self.path


@dataclasses.dataclass
class Fault:
    """What happens to the next `times` requests whose path contains `where`."""

    kind: str  # a name in Proxy.FAULTS
    where: str = ""
    times: int = 1


def rounds(requests):
    """The longest chain of requests each of which began after the one before it had ended: what a measurement sees, where a
    machine too busy to send together what may go together makes it longer. See Proxy.in_step for what tests count."""
    longest = 0
    depth = []
    for request in sorted(requests, key=lambda one: one.begin):
        before = [d for other, d in depth if other.end <= request.begin]
        depth.append((request, 1 + max(before, default=0)))
        longest = max(longest, depth[-1][1])
    return longest


class Proxy:
    """Forwards to an S3 server. `delay` is in seconds a request; `faults` is a list to append to."""

    ERRORS = {
        "500": (500, "InternalError", "We encountered an internal error. Please try again."),
        "503": (503, "SlowDown", "Please reduce your request rate."),
        "expired": (400, "ExpiredToken", "The provided token has expired."),
        "refused": (403, "AccessDenied", "Access Denied"),
    }
    FAULTS = [*ERRORS, "reset", "short", "wrong_length", "stall"]

    def __init__(self, host, port):
        self.target = (host, port)
        self.delay = 0.0
        self.requests = []
        self.faults = []
        self._lock = threading.Condition()
        self._under_way = 0
        self._step = None
        self._held = 0
        self._upstream = threading.local()
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self):
                proxy._serve(self)

            do_HEAD = do_PUT = do_POST = do_DELETE = do_GET

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 256
            daemon_threads = True

            def handle_error(self, *_):
                pass  # clients that hang up

        self._server = Server(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()

    def take(self):
        """The requests since the last call; a client may have its answer a moment before its request has ended here."""
        with self._lock:
            self._lock.wait_for(lambda: self._under_way == 0, timeout=10)
            taken, self.requests = self.requests, []
        return taken

    @contextlib.contextmanager
    def in_step(self):
        """Meanwhile requests are answered in steps: each is held until the client, a child of this process, waits for
        nothing but answers, and then all that are held are let go. So the steps of a client's requests are as many as its
        longest chain of requests each of which needed the answer of the one before it, however slow the machine is."""
        self._step = 0
        conductor = threading.Thread(target=self._conduct)
        conductor.start()
        try:
            yield
        finally:
            with self._lock:
                self._step = None
                self._lock.notify_all()
            conductor.join()

    def _conduct(self):
        """A client that never waits is let go on after a while, which makes no fewer steps."""
        stillness = Stillness(self._server.server_address[1])
        last = time.monotonic()
        while True:
            time.sleep(0.01)
            is_still = stillness.lasts()
            with self._lock:
                if self._step is None:
                    return
                if self._held == 0:
                    last = time.monotonic()
                elif (is_still and self._held == self._under_way) or time.monotonic() - last > 5:
                    self._step += 1
                    self._held = 0
                    self._lock.notify_all()

    def _wait_for_step(self):
        with self._lock:
            if self._step is None:
                return 0
            step = self._step
            self._held += 1
            self._lock.wait_for(lambda: self._step is None or self._step > step)
            return step + 1

    @staticmethod
    def _key_of(authorization):
        """The id of the key that a request is signed with."""
        return authorization.partition("Credential=")[2].partition("/")[0] or None

    def _next_fault(self, path):
        with self._lock:
            for fault in self.faults:
                if fault.times > 0 and fault.where in path:
                    fault.times -= 1
                    return fault.kind
        return None

    def _forward(self, handler, body):
        """Status, headers and body of the answer. A connection that the server has closed is made anew."""
        headers = {name: value for name, value in handler.headers.items() if name.lower() != "connection"}
        for attempt in (0, 1):
            connection = getattr(self._upstream, "connection", None)
            if connection is None or attempt > 0:
                connection = self._upstream.connection = http.client.HTTPConnection(*self.target)
            try:
                connection.request(handler.command, handler.path, body, headers)
                answer = connection.getresponse()
                return answer.status, answer.getheaders(), answer.read()
            except (http.client.HTTPException, OSError):
                if attempt > 0:
                    raise
        raise AssertionError("not reached")

    def _serve(self, handler):
        begin = time.monotonic()
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        path = urllib.parse.unquote(handler.path).removeprefix(f"/{BUCKET}").removeprefix("/")
        request = Request(handler.command, path, handler.headers.get("Range"), "Authorization" in handler.headers,
                          self._key_of(handler.headers.get("Authorization", "")), handler.headers.get("X-Amz-Security-Token"), begin)
        with self._lock:
            self._under_way += 1
        fault = self._next_fault(path)
        if self.delay > 0:
            time.sleep(self.delay)
        request.step = self._wait_for_step()
        try:
            if fault in self.ERRORS:
                self._answer_error(handler, request, *self.ERRORS[fault])
            else:
                self._answer(handler, request, body, fault)
        finally:
            request.end = time.monotonic()
            with self._lock:
                self.requests.append(request)
                self._under_way -= 1
                self._lock.notify_all()

    def _answer_error(self, handler, request, status, code, message):
        text = xml.sax.saxutils.escape(message)
        body = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{text}</Message></Error>'
        self._send(handler, request, status, [("Content-Type", "application/xml")], body.encode(), None)

    def _answer(self, handler, request, body, fault):
        status, headers, content = self._forward(handler, body)
        if fault == "wrong_length":  # a proxy that cuts bodies and says so
            content = content[: len(content) // 2]
        self._send(handler, request, status, headers, content, fault)

    def _send(self, handler, request, status, headers, content, fault):
        request.status = status
        is_head = handler.command == "HEAD"
        length = dict((name.lower(), value) for name, value in headers).get("content-length", "0")
        handler.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                handler.send_header(name, value)
        handler.send_header("Content-Length", length if is_head else str(len(content)))
        handler.end_headers()
        if is_head:
            return
        if fault in ("reset", "short", "stall"):
            content = content[: len(content) // 2]
        handler.wfile.write(content)
        request.bytes = len(content)
        if fault == "stall":  # until the client hangs up
            handler.wfile.flush()
            select.select([handler.connection], [], [], 30)
        if fault in ("reset", "stall"):  # lingering for no time at all, a socket is reset rather than closed
            handler.wfile.flush()
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if fault in ("reset", "short", "stall"):
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR) if fault == "short" else handler.connection.close()


class S3:
    """The server, its proxy and one bucket."""

    def __init__(self):
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        host, port = self._server.get_host_and_port()
        self.client = boto3.client("s3", endpoint_url=f"http://{host}:{port}", region_name=KEYS["region"],
                                   aws_access_key_id="x", aws_secret_access_key="x")
        self.client.create_bucket(Bucket=BUCKET)
        self.proxy = Proxy(host, port)

    def stop(self):
        self.proxy.stop()
        self._server.stop()

    def put(self, folder, name):
        """Uploads a dataset, and returns its URI."""
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                key = f"{name}/{file.relative_to(folder)}"
                self.client.put_object(Bucket=BUCKET, Key=key, Body=file.read_bytes())
        return f"s3://{BUCKET}/{name}"

    def drop(self, uri):
        """Removes a dataset, whose files the server keeps in memory."""
        name = uri.removeprefix(f"s3://{BUCKET}/")
        for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{name}/"):
            self.client.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": one["Key"]} for one in page["Contents"]]})

    def storage_options(self, **changed):
        """As pylance calls them."""
        return {**KEYS, "aws_endpoint": self.proxy.endpoint, "allow_http": "true", **changed}
