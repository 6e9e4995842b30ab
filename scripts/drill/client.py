"""A small HTTP/1.1 client on asyncio: one request at a time on each kept connection, and every failure named."""

import asyncio
import json


class NoAnswer(Exception):
    """The request may or may not have been carried out."""


class NotSent(NoAnswer):
    """Not a byte of it has left: it was certainly not carried out."""


class Connection:
    """One kept connection to one address; opened anew when it is lost."""

    def __init__(self, host: str, port: int):
        self.host, self.port = host, port
        self.reader = self.writer = None

    async def open(self):
        try:
            self.reader, self.writer = await asyncio.open_connection(self.host, self.port)
        except OSError as error:
            raise NotSent(f"cannot connect to {self.host}:{self.port}: {error}") from None

    @property
    def is_closed_by_peer(self) -> bool:
        return self.reader is not None and self.reader.at_eof()

    def close(self):
        if self.writer is not None:
            self.writer.close()
        self.reader = self.writer = None

    async def send(self, method: str, path: str, body=None):
        """Sends a request without waiting for its answer: see `receive`."""
        if self.writer is None:
            await self.open()
        payload = b"" if body is None else json.dumps(body, separators=(",", ":")).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nContent-Length: {len(payload)}\r\n"
        if payload:
            head += "Content-Type: application/json\r\n"
        try:
            self.writer.write(head.encode() + b"\r\n" + payload)
            await self.writer.drain()
        except OSError as error:
            self.close()
            raise NoAnswer(str(error)) from None

    async def receive(self):
        """The answer to the last request: its status and its body, read as JSON."""
        try:
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {}
            for line in head[1:]:
                name, _, value = line.partition(":")
                headers[name.strip().lower()] = value.strip()
            body = await self.reader.readexactly(int(headers.get("content-length", "0")))
            if headers.get("connection", "").lower() == "close":
                self.close()
            return int(head[0].split(" ")[1]), json.loads(body) if body else None
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError, IndexError) as error:
            self.close()
            raise NoAnswer(f"{type(error).__name__}: {error}") from None

    async def request(self, method: str, path: str, body=None, timeout: float = 10.0):
        try:
            async with asyncio.timeout(timeout):
                await self.send(method, path, body)
                return await self.receive()
        except TimeoutError:
            self.close()
            raise NoAnswer(f"no answer within {timeout} s") from None


class Pool:
    """Connections to one address, as many as are in use at once."""

    def __init__(self, host: str, port: int):
        self.host, self.port = host, port
        self.idle = []

    async def request(self, method: str, path: str, body=None, timeout: float = 10.0):
        connection = Connection(self.host, self.port)
        while self.idle:
            kept = self.idle.pop()
            if not kept.is_closed_by_peer:
                connection = kept
                break
            kept.close()
        try:
            answer = await connection.request(method, path, body, timeout)
        except BaseException:
            connection.close()
            raise
        self.idle.append(connection)
        return answer

    def close(self):
        for connection in self.idle:
            connection.close()
        self.idle = []
