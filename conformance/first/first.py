# pip install websockets
import asyncio
import json

import websockets


async def main():
    async with websockets.connect("ws://127.0.0.1:8080/ws") as line:
        await line.send(json.dumps({"type": "subscribe", "requestId": "1", "channel": "chat.lobby"}))
        async for frame in line:
            print(frame)


asyncio.run(main())
