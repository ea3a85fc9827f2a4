// The Socket.IO peer of the comparison: "s" joins a room, "p" sends a message to a room, "e" is answered at once.
// node server.mjs [port]
//
// The engine is ws with bufferutil's native masking, the fastest that npm installs by itself: uWebSockets.js is not
// on npm, and eiows wants the sources of Node.js. Polling is off, and so is compression.
import { Server } from 'socket.io'
import { WebSocketServer } from 'ws'

const port = Number(process.argv[2] ?? 3000)

const io = new Server(port, {
  transports: ['websocket'],
  wsEngine: WebSocketServer,
  perMessageDeflate: false,
  httpCompression: false,
  serveClient: false,
})

io.on('connection', (socket) => {
  socket.on('s', (room) => {
    socket.join(room)
    socket.emit('s')
  })
  socket.on('p', (room, payload) => io.to(room).emit('m', payload))
  socket.on('e', (payload) => socket.emit('m', payload))
})
console.log(`socket.io listens on ${port}`)
