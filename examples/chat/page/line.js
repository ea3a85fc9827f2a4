// A line to the gateway that comes back when it breaks: a WebSocket and some JSON. What a room needs to go on where it was
// is the caller's, who learns of each new line by opened().

const beat = 20_000 // ms between two pings; a line that answered nothing in between is given up
const stable = 5_000 // ms after which a line is as good as new

/**
 * Keeps a line open until stop is called. handlers: opened(), frame(frame), waiting(ms), and allowed(), which is asked before
 * each return and answers whether there is any use in it.
 */
export function keepLine(url, handlers) {
  let socket = null
  let attempt = 0
  let retryAfter = 0
  let stopped = false
  let timer = 0

  function open() {
    const s = socket = new WebSocket(url)
    let unanswered = false
    let good = 0
    const beats = setInterval(() => {
      if (unanswered) return lost(s)
      if (s.readyState !== WebSocket.OPEN) return
      unanswered = true
      s.send('ping')
    }, beat)
    s.finish = () => { clearInterval(beats); clearTimeout(good) }
    s.onopen = () => {
      good = setTimeout(() => { attempt = 0 }, stable)
      handlers.opened()
    }
    s.onmessage = ({ data }) => {
      unanswered = false
      if (data === 'pong') return
      const frame = JSON.parse(data)
      if (frame.type === 'goodbye') retryAfter = frame.retryAfterMs ?? 0
      handlers.frame(frame)
    }
    s.onclose = () => lost(s)
  }

  // lost is told once of each socket, also when the network never says that it is gone.
  function lost(s) {
    if (s !== socket) return
    s.finish()
    s.onmessage = s.onclose = null
    s.close()
    socket = null
    if (stopped) return
    attempt++
    const wait = retryAfter || Math.min(30_000, 1_000 + Math.random() * 1_000 * (2 ** attempt - 1))
    retryAfter = 0
    handlers.waiting(wait)
    timer = setTimeout(back, wait)
  }

  async function back() {
    if (stopped || socket) return
    if (await handlers.allowed()) {
      if (!stopped && !socket) open()
    } else {
      stop()
    }
  }

  function online() {
    if (socket) return
    clearTimeout(timer)
    back()
  }

  function stop() {
    stopped = true
    clearTimeout(timer)
    removeEventListener('online', online)
    if (socket) lost(socket)
  }

  addEventListener('online', online)
  open()
  return {
    stop,
    send(frame) {
      if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(frame))
    },
  }
}
