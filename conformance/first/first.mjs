// The same in a browser's console; Node.js has WebSocket since version 22.
const line = new WebSocket("ws://127.0.0.1:8080/ws");
line.onopen = () => line.send(JSON.stringify({ type: "subscribe", requestId: "1", channel: "chat.lobby" }));
line.onmessage = (event) => console.log(event.data);
line.onclose = (event) => console.log("closed", event.code, event.reason);
