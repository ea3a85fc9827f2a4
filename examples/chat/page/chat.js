// The rooms and what is said in them. What other people wrote is shown as text and never as HTML.

import { keepLine } from './line.js'

const shown = 500 // messages of a room
const $ = (id) => document.getElementById(id)
const rooms = new Map() // by name: { position, items, unread }
const unsent = new Map() // by messageId: what the gateway has not acknowledged; it is sent again on the next line
let line = null
let me = ''
let current = ''

// ---- the line

const channel = (room) => `room.${room}`

const handlers = {
  opened() {
    state('live')
    for (const name of rooms.keys()) subscribe(name)
    for (const item of unsent.values()) publish(item)
  },
  frame(frame) {
    const room = rooms.get(frame.channel?.slice('room.'.length))
    switch (frame.type) {
      case 'subscribed': return subscribed(rooms.get(frame.requestId), frame)
      case 'message': return room && arrived(room, frame)
      case 'gap': return room && missed(room, frame)
      case 'published': return acknowledged(unsent.get(frame.requestId))
      case 'error': return refused(frame)
    }
  },
  waiting(ms) {
    state('away', `back in ${Math.ceil(ms / 1000)} s`)
  },
  async allowed() {
    try {
      const response = await fetch('/login')
      if (response.status !== 204) return true
    } catch {
      return true // the host is away, not the name
    }
    showLogin('Sign in again, please.')
    return false
  },
}

// A room goes on where it was: every message is seen once, whatever became of the line.
function subscribe(name) {
  const { position } = rooms.get(name)
  line.send({ type: 'subscribe', requestId: name, channel: channel(name), from: position ?? { last: 50 } })
}

function subscribed(room, frame) {
  if (room) room.position = frame.position
}

function arrived(room, { offset, messageId, publisher, timestamp, text }) {
  if (offset <= room.position.offset) return
  room.position.offset = offset
  unsent.delete(messageId)
  const standIn = room.items.findIndex((item) => item.id === messageId)
  if (standIn >= 0) room.items.splice(standIn, 1)
  add(room, { name: publisher, text: text ?? '', time: new Date(timestamp) })
  if (room === rooms.get(current) && publisher !== me) $('spoken').textContent = `${publisher}: ${text}`
}

function missed(room, { reason, epoch, fromOffset, toOffset }) {
  if (reason === 'beyond_tail') return // nothing is missing: the room goes on from where `subscribed` said
  room.position = { epoch, offset: toOffset }
  const many = toOffset - fromOffset + 1
  const lost = reason === 'epoch' ? 'The gateway has started anew: what was said before it is gone.'
    : many === 1 ? 'One message is not kept any more.' : `${many} messages are not kept any more.`
  add(room, { note: lost })
}

function say(text) {
  const id = Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('')
  const item = { id, room: current, name: me, text, time: new Date(), pending: true }
  unsent.set(id, item)
  add(rooms.get(current), item)
  publish(item)
}

// The same messageId makes it one message, however often it is sent.
function publish({ id, room, text }) {
  line.send({ type: 'publish', requestId: id, channel: channel(room), messageId: id, text })
}

function acknowledged(item) {
  if (!item) return
  unsent.delete(item.id)
  item.pending = false
  render()
}

function refused({ requestId, error }) {
  if (rooms.has(requestId)) return add(rooms.get(requestId), { note: error.message })
  const item = unsent.get(requestId)
  if (!item) return
  if (error.retryable) {
    setTimeout(() => unsent.has(item.id) && publish(item), error.retryAfterMs ?? 1000)
    return
  }
  unsent.delete(item.id)
  item.pending = false
  item.failed = error.message
  render()
}

// ---- what is seen

function add(room, item) {
  room.items.push(item)
  room.items.splice(0, room.items.length - shown)
  if (room !== rooms.get(current) && item.name !== me && !item.note) room.unread++
  render()
}

function element(tag, className, text = '') {
  const e = document.createElement(tag)
  e.className = className
  e.textContent = text
  return e
}

let rendering = false
function render() {
  if (rendering) return
  rendering = true
  requestAnimationFrame(() => {
    rendering = false
    renderRooms()
    renderMessages()
  })
}

function renderRooms() {
  $('rooms').replaceChildren(...Array.from(rooms, ([name, room]) => {
    const button = element('button', name === current ? 'room current' : 'room', name)
    if (name === current) button.setAttribute('aria-current', 'page')
    if (room.unread) button.append(element('span', 'unread', room.unread > 99 ? '99+' : room.unread))
    button.onclick = () => enter(name)
    return button
  }))
}

function renderMessages() {
  const list = $('messages')
  const below = list.scrollHeight - list.scrollTop - list.clientHeight < 80
  $('title').textContent = current
  const items = rooms.get(current)?.items ?? []
  const wanted = items.length ? items.map(elementOf) : [element('li', 'note', 'Nobody has said anything yet.')]
  const kept = new Set(wanted)
  for (const child of [...list.children]) if (!kept.has(child)) child.remove()
  wanted.forEach((e, i) => { if (list.children[i] !== e) list.insertBefore(e, list.children[i] ?? null) })
  if (below) list.scrollTop = list.scrollHeight
}

// An item keeps its element while nothing changes in it, so that what somebody has selected stays selected.
function elementOf(item, i, all) {
  const before = all[i - 1]
  const goesOn = before?.name !== undefined && before.name === item.name && item.time - before.time < 120_000
  const own = item.name === me
  const className = ['message', own && 'own', goesOn && 'goes-on', item.pending && 'pending', item.failed && 'failed'].filter(Boolean).join(' ')
  if (item.element?.dataset.kind !== className) {
    item.element = item.note ? element('li', 'note', item.note) : messageElement(item, className)
    item.element.dataset.kind = className
  }
  return item.element
}

function messageElement(item, className) {
  const li = element('li', className)
  const avatar = element('span', 'avatar', [...item.name][0])
  avatar.style.setProperty('--hue', hue(item.name))
  avatar.ariaHidden = 'true'
  const about = element('span', 'about')
  about.append(element('b', '', item.name), element('time', '', item.time.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })))
  li.append(avatar, about, element('span', 'bubble', item.text))
  if (item.failed) li.append(element('span', 'why', `not sent: ${item.failed}`))
  return li
}

const hue = (name) => [...name].reduce((h, c) => (h * 31 + c.codePointAt(0)) % 360, 7)

function state(kind, detail = '') {
  $('state').className = kind
  $('state').textContent = kind === 'live' ? 'live' : `no line, ${detail}`
}

// ---- what people do

function enter(name) {
  if (!rooms.has(name)) {
    rooms.set(name, { position: null, items: [], unread: 0 })
    subscribe(name)
  }
  current = name
  rooms.get(name).unread = 0
  location.hash = name
  render()
  requestAnimationFrame(() => { $('messages').scrollTop = $('messages').scrollHeight })
  $('text').focus({ preventScroll: true })
}

const roomName = /^[A-Za-z0-9_-]{1,32}$/

function showChat(name) {
  me = name
  $('me').textContent = name
  $('login').hidden = true
  $('chat').hidden = false
  line = keepLine(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws`, handlers)
  for (const room of ['lobby', 'kitchen', 'music']) {
    if (!rooms.has(room)) rooms.set(room, { position: null, items: [], unread: 0 })
  }
  const wanted = location.hash.slice(1)
  enter(roomName.test(wanted) ? wanted : 'lobby')
}

// What is known, and what was not sent, is for the one who has signed in.
function forget() {
  rooms.clear()
  unsent.clear()
}

function showLogin(why = '') {
  $('chat').hidden = true
  $('login').hidden = false
  $('refused').textContent = why
  $('name').value = me
  $('name').focus()
}

$('login').onsubmit = async (event) => {
  event.preventDefault()
  const name = $('name').value
  try {
    const response = await fetch('/login', { method: 'POST', body: JSON.stringify({ name }) })
    if (!response.ok) throw new Error(await response.text())
    const person = await response.json()
    if (me !== person.name) forget()
    showChat(person.name)
  } catch (error) {
    $('refused').textContent = error.message
  }
}

$('open').onsubmit = (event) => {
  event.preventDefault()
  const name = $('another').value.trim()
  if (!roomName.test(name)) return
  $('another').value = ''
  enter(name)
}

$('say').onsubmit = (event) => {
  event.preventDefault()
  const text = $('text').value.trim()
  $('text').value = ''
  if (text) say(text)
}

$('leave').onclick = async () => {
  line.stop()
  forget()
  await fetch('/login', { method: 'DELETE' })
  me = ''
  showLogin()
}

const response = await fetch('/login')
if (response.status === 200) showChat((await response.json()).name)
else showLogin()
