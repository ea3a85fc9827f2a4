// The page of the stock: requests as ever, and a line on which it is told of changes, calls stock.take, and is called: ui.confirm.

const $ = (id) => document.getElementById(id)
const items = new Map()
let version = 0 // of the last change that items have
let position = null // in the channel, of the last change that came
let loads = 0 // inventories that were asked for
let early = null // changes that came while one is under way

// ---- the line

const calls = new Map() // by requestId: what waits for a reply
const questions = new Map() // by requestId: the dialog that the service waits for
let socket = null
let attempt = 0
let requests = 0

function connect() {
  socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/live/ws`)
  let unanswered = false
  const beats = setInterval(() => {
    if (unanswered) socket.close() // nothing came since the last ping
    unanswered = true
    send({ type: 'ping' })
  }, 20_000)
  socket.onopen = () => send({ type: 'subscribe', requestId: 'changes', channel: 'stock.changes', ...(position && { from: position }) })
  socket.onmessage = ({ data }) => {
    unanswered = false
    received(JSON.parse(data))
  }
  socket.onclose = () => {
    clearInterval(beats)
    for (const { reject } of calls.values()) reject(new Error('the line broke: nobody knows whether it was done'))
    calls.clear()
    for (const dialog of questions.values()) dialog.close('late')
    attempt++
    const wait = Math.min(30_000, 1_000 + Math.random() * 1_000 * (2 ** attempt - 1))
    state('', `back in ${Math.ceil(wait / 1000)} s`)
    setTimeout(back, wait)
  }
}

async function back() {
  const response = await fetch('/login').catch(() => null)
  if (response?.status === 204) return showLogin('Sign in again, please.')
  connect()
}

function send(frame) {
  if (socket.readyState !== WebSocket.OPEN) return false
  socket.send(JSON.stringify(frame))
  return true
}

function received(frame) {
  switch (frame.type) {
    case 'subscribed':
      attempt = 0
      state('live', 'live')
      position = frame.position
      if (!frame.recovered) load() // the changes before it are in the inventory
      return
    case 'message':
      if (frame.offset <= position.offset) return
      position.offset = frame.offset
      return changed(frame.data)
    case 'gap':
      position = { epoch: frame.epoch, offset: frame.toOffset }
      return load()
    case 'call':
      return called(frame)
    case 'cancel': // answered on another page, or too late
      return questions.get(frame.requestId)?.close('late')
    case 'reply':
      calls.get(frame.requestId)?.resolve(frame.data)
      return calls.delete(frame.requestId)
    case 'error':
      calls.get(frame.requestId)?.reject(new Error(frame.error.message))
      return calls.delete(frame.requestId)
  }
}

function call(method, data) {
  const requestId = `c${++requests}`
  return new Promise((resolve, reject) => {
    if (send({ type: 'call', requestId, method, timeoutMs: 5000, data })) calls.set(requestId, { resolve, reject })
    else reject(new Error('there is no line'))
  })
}

// called is the other direction: the service asks this page.
function called({ requestId, method, data }) {
  if (method !== 'ui.confirm') return send({ type: 'error', requestId, error: { code: 'unimplemented', message: `no ${method} here` } })
  const dialog = $('question').content.cloneNode(true).querySelector('dialog')
  dialog.querySelector('p').textContent = data.question
  dialog.querySelector('.danger').textContent = data.yes
  dialog.onclose = () => {
    if (dialog.returnValue !== 'late') send({ type: 'reply', requestId, data: dialog.returnValue === 'yes' })
    questions.delete(requestId)
    dialog.remove()
  }
  questions.set(requestId, dialog)
  document.body.append(dialog)
  dialog.showModal()
}

// ---- the stock

// The inventory is asked for once the channel is subscribed to: a change is in the one, or comes by the other, or both.
async function load() {
  const mine = ++loads
  early = [] // what came before is in it
  const response = await fetch('/items').catch(() => null)
  const inventory = response?.ok ? await response.json() : null
  if (mine !== loads) return // a newer one is under way
  if (!inventory) return setTimeout(load, 2000)
  version = inventory.version
  items.clear()
  for (const item of inventory.items) items.set(item.id, item)
  const waiting = early
  early = null
  render()
  waiting.forEach(changed)
}

function changed(change) {
  if (early) return early.push(change)
  const { id, item, by } = change
  if (change.version <= version) return // the inventory has it
  version = change.version
  const before = items.get(id)
  if (item) items.set(id, item)
  else items.delete(id)
  render(id)
  tell(describe(before, item, by))
}

function describe(before, item, by) {
  if (!item) return `${by} threw away ${before?.name ?? 'something'}`
  if (!before) return `${by} brought ${item.count} × ${item.name}`
  const less = before.count - item.count
  return less >= 0 ? `${by} took ${less} × ${item.name}` : `${by} brought ${-less} × ${item.name}`
}

async function put(id, item) {
  const response = await fetch(`/items/${encodeURIComponent(id)}`, { method: 'PUT', body: JSON.stringify(item) })
  if (!response.ok) throw new Error(await response.text())
}

async function throwAway({ id, name }) {
  const response = await fetch(`/items/${encodeURIComponent(id)}`, { method: 'DELETE' })
  if (!response.ok) throw new Error(`${name} stays: ${await response.text()}`)
}

// ---- what is seen

function element(tag, className, text = '') {
  const e = document.createElement(tag)
  e.className = className
  e.textContent = text
  return e
}

function button(text, label, className, act) {
  const b = element('button', className, text)
  b.ariaLabel = label
  b.onclick = async () => {
    try {
      await act()
    } catch (error) {
      tell(error.message, 'failed')
    }
  }
  return b
}

function render(fresh) {
  const sorted = [...items.values()].sort((a, b) => a.id < b.id ? -1 : 1)
  $('items').replaceChildren(...sorted.map((item) => {
    const li = element('li', item.id === fresh ? 'fresh' : '')
    li.append(
      element('span', 'what', item.name),
      element('output', '', item.count),
      button('Take one', `Take one of ${item.name}`, '', () => call('stock.take', { id: item.id, count: 1 })),
      button('Throw away', `Throw away ${item.name}`, 'quiet', () => throwAway(item)),
    )
    return li
  }))
}

function tell(text, className = '') {
  const li = element('li', className)
  li.append(element('time', '', new Date().toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit' })), element('span', '', text))
  $('events').prepend(li)
  while ($('events').children.length > 50) $('events').lastChild.remove()
}

function state(className, text) {
  $('state').className = className
  $('state').textContent = text
}

function showPage(name) {
  $('me').textContent = name
  $('login').hidden = true
  document.querySelector('main').hidden = false
  connect()
}

function showLogin(why = '') {
  document.querySelector('main').hidden = true
  $('login').hidden = false
  $('refused').textContent = why
  $('name').focus()
}

$('login').onsubmit = async (event) => {
  event.preventDefault()
  try {
    const response = await fetch('/login', { method: 'POST', body: JSON.stringify({ name: $('name').value }) })
    if (!response.ok) throw new Error(await response.text())
    showPage((await response.json()).name)
  } catch (error) {
    $('refused').textContent = error.message
  }
}

$('add').onsubmit = async (event) => {
  event.preventDefault()
  const name = $('what').value.trim()
  const id = name.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '').slice(0, 32) || `thing-${Date.now()}`
  try {
    await put(id, { name, count: Number($('count').value) })
    $('what').value = ''
  } catch (error) {
    tell(error.message, 'failed')
  }
}

const response = await fetch('/login')
if (response.status === 200) showPage((await response.json()).name)
else showLogin()
