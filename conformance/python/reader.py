"""Reads a channel into a file, and may be killed at any moment.

Usage: reader.py URL CHANNEL FILE

Each message is one line of the file, "epoch offset text", and the last whole line is the reader's position. So a
message and the position after it are written at once, and after a kill -9 neither can be without the other.
"""

import asyncio
import os
import sys

import websockets
from client import Client


def last_position(path):
    """The position behind the last whole line of the file; what a kill left of another is cut off."""
    with open(path, "a+b") as file:
        file.seek(0)
        content = file.read()
        whole = content.rfind(b"\n") + 1
        file.truncate(whole)
    if not whole:
        return {"offset": 0}
    epoch, offset, _ = content[:whole].splitlines()[-1].decode().split(" ", 2)
    return {"epoch": epoch, "offset": int(offset)}


async def read(url, channel, path):
    position = last_position(path)
    file = os.open(path, os.O_WRONLY | os.O_APPEND)
    while True:
        try:
            async with await Client.open(url) as client:
                position["epoch"] = (await client.subscribe(channel, position))["position"]["epoch"]
                while True:
                    message = await client.receive()
                    if message["type"] != "message":
                        sys.exit(f"reader: {message}")
                    position["offset"] = message["offset"]
                    os.write(file, f"{position['epoch']} {message['offset']} {message['text']}\n".encode())
        except websockets.ConnectionClosed:
            continue


if __name__ == "__main__":
    asyncio.run(read(*sys.argv[1:]))
