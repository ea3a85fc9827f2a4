"""A client that speaks the protocol over a line of the package websockets, a step at a time."""

import asyncio
import json

import websockets

PATIENCE = 10


class Client:
    """One line. Requests are answered by the next frame, since a check does one thing at a time."""

    def __init__(self, line):
        self.line = line
        self.requests = 0

    @classmethod
    async def open(cls, url, token=None, connect=True):
        headers = {"Authorization": f"Bearer {token}"} if token else None
        line = await websockets.connect(
            url,
            subprotocols=["magpie.v1.json"],
            additional_headers=headers,
            proxy=None,
            close_timeout=2,
        )
        client = cls(line)
        if connect:
            await client.request(type="connect")
        return client

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self.line.close()

    async def text(self):
        return await asyncio.wait_for(self.line.recv(), PATIENCE)

    async def receive(self):
        return json.loads(await self.text())

    async def request(self, **frame):
        self.requests += 1
        frame["requestId"] = str(self.requests)
        await self.line.send(json.dumps(frame))
        answer = await self.receive()
        assert answer.get("requestId") == frame["requestId"], f"expected the answer to {frame}, got {answer}"
        return answer

    async def subscribe(self, channel, start=None):
        answer = await self.request(type="subscribe", channel=channel, **({"from": start} if start else {}))
        assert answer["type"] == "subscribed", answer
        return answer

    async def publish(self, channel, **fields):
        answer = await self.request(type="publish", channel=channel, **fields)
        assert answer["type"] == "published", answer
        return answer
