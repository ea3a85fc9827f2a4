"""The checks that every client passes, with the package websockets; conformance/README.md tells what each is about."""

import asyncio
import os
import sys

import websockets
from client import PATIENCE, Client

NAME = "websockets"
FLOOD = 2000
BATCH = 50
LEAST_BREAKS = 3


def variable(name):
    if name not in os.environ:
        sys.exit(f"{name} is not set: start the suite with conformance/run")
    return os.environ[name]


URL = variable("MAGPIE_URL")
FLAKY_URL = variable("MAGPIE_FLAKY_URL")
SECURE_URL = variable("MAGPIE_SECURE_URL")
JWT = variable("MAGPIE_JWT")
API_KEY = variable("MAGPIE_API_KEY")


def equal(got, want):
    assert got == want, f"got {got!r}, want {want!r}"


def fields(frame, *names):
    return [frame.get(name) for name in names]


async def connect():
    client = await Client.open(URL, connect=False)
    await client.line.send('{"type":"connect","requestId":"hello"}')
    connected = await client.receive()
    equal(fields(connected, "type", "requestId", "userId"), ["connected", "hello", "dev"])
    assert connected["sessionId"]
    await client.line.close()
    equal(client.line.close_code, 1000)


async def publish():
    channel = "conformance.python.publish"
    async with await Client.open(URL) as reader, await Client.open(URL) as writer:
        subscribed = await reader.subscribe(channel)
        published = await writer.publish(channel, messageId="m1", tags={"a": "b"}, data={"n": 1})
        offset = published["position"]["offset"]
        equal(offset, subscribed["position"]["offset"] + 1)
        message = await reader.receive()
        equal(
            fields(message, "type", "offset", "messageId", "publisher", "tags", "data"),
            ["message", offset, "m1", "dev", {"a": "b"}, {"n": 1}],
        )
        again = await writer.publish(channel, messageId="m1", data={"n": 1})
        equal(fields(again, "duplicate", "position"), [True, published["position"]])


async def payloads():
    channel = "conformance.python.payloads"
    async with await Client.open(URL) as reader, await Client.open(URL) as writer:
        await reader.subscribe(channel)
        for payload in {"data": {"a": [1, None, "é"]}}, {"text": "line 1\nline 2 𝄞"}, {"base64": "AP/+AA=="}:
            await writer.publish(channel, **payload)
            message = await reader.receive()
            equal({name: message[name] for name in ("data", "text", "base64") if name in message}, payload)


async def call():
    async with await Client.open(URL) as client:
        reply = await client.request(type="call", method="magpie.echo", data={"x": [1, 2]})
        equal(fields(reply, "type", "data"), ["reply", {"x": [1, 2]}])
        refused = await client.request(type="call", method="nobody.serves.this")
        equal([refused["type"], refused["error"]["code"]], ["error", "not_found"])


async def ping():
    async with await Client.open(URL) as client:
        pong = await client.line.ping("are you there?")
        await asyncio.wait_for(pong, PATIENCE)
        await client.line.send("ping")
        equal(await client.text(), "pong")
        equal((await client.request(type="ping"))["type"], "pong")


async def recovery():
    channel = "conformance.python.recovery"
    async with await Client.open(URL) as first:
        position = (await first.subscribe(channel))["position"]
    flooding = asyncio.create_task(flood(channel))
    seen = lines = 0
    while seen < FLOOD:
        try:
            async with await Client.open(FLAKY_URL) as reader:
                assert (await reader.subscribe(channel, position))["recovered"]
                while seen < FLOOD:
                    message = await reader.receive()
                    equal([message["type"], message["offset"]], ["message", position["offset"] + 1])
                    equal(message["data"]["n"], seen)
                    position["offset"] = message["offset"]
                    seen += 1
        except websockets.ConnectionClosed:
            pass  # the line is flaky; the position says where to go on
        lines += 1
    await flooding
    assert lines > LEAST_BREAKS, f"the line broke too seldom to show anything: {lines} lines"


async def flood(channel):
    async with await Client.open(URL) as writer:
        for n in range(0, FLOOD, BATCH):
            messages = [{"data": {"n": n + i, "padding": "x" * 100}} for i in range(BATCH)]
            await writer.publish(channel, messages=messages)


async def gap():
    channel = "conformance.python.gap"
    async with await Client.open(URL) as client:
        epoch = (await client.publish(channel, data="kept"))["position"]["epoch"]
        subscribed = await client.subscribe(channel, {"epoch": "another", "offset": 7})
        equal([subscribed["recovered"], subscribed["position"]["epoch"]], [False, epoch])
        equal(fields(await client.receive(), "type", "reason", "epoch"), ["gap", "epoch", epoch])
        equal((await client.receive())["data"], "kept")


async def error():
    async with await Client.open(URL) as client:
        refused = await client.request(type="subscribe", channel="a..b")
        equal([refused["type"], refused["error"]["code"]], ["error", "invalid_argument"])
        await client.line.send("nonsense")
        refused = await client.receive()
        equal([refused["type"], refused["error"]["code"]], ["error", "invalid_argument"])
        equal((await client.request(type="ping"))["type"], "pong")


async def token():
    async with await Client.open(SECURE_URL, JWT) as client:
        await client.publish("conformance.token", data=1)
        refused = await client.request(type="publish", channel="forbidden", data=1)
        equal([refused["type"], refused["error"]["code"]], ["error", "permission_denied"])
    async with await Client.open(SECURE_URL, API_KEY) as client:
        await client.publish("conformance.token", data=1)


async def bad_token():
    for bad in JWT + "x", "mgp_nobody_has_been_given_this_key":
        try:
            await Client.open(SECURE_URL, bad)
        except websockets.InvalidStatus as refused:
            equal(refused.response.status_code, 401)
        else:
            raise AssertionError("let in")


CHECKS = connect, publish, payloads, call, ping, recovery, gap, error, token, bad_token


async def main():
    passed = 0
    for check in CHECKS:
        name = check.__name__.replace("_", "-")
        try:
            await check()
        except Exception as why:  # whatever it is, the other checks are still to be made
            print(f"failed {NAME} {name}: {type(why).__name__}: {why}".replace("\n", " "))
        else:
            passed += 1
            print(f"ok {NAME} {name}")
    print(f"{NAME}: {len(CHECKS)} checks, {passed} passed")
    return passed == len(CHECKS)


if __name__ == "__main__":
    sys.exit(0 if asyncio.run(main()) else 1)
