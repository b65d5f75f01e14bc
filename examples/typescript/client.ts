/**
 * Asks Headwater's GraphQL API, with nothing but what Node.js brings (22.6 and newer run these files as they are).
 * HEADWATER_TOKEN is an API token (hw_live_… or hw_test_…); HEADWATER_URL says where the API is.
 */
import { readFileSync } from 'node:fs'

const url = process.env['HEADWATER_URL'] ?? 'http://127.0.0.1:8080'
const token = process.env['HEADWATER_TOKEN'] ?? ''

interface Answer<T> {
  data?: T | null
  errors?: { message: string }[]
}

const operation = (name: string): string => readFileSync(new URL(`../operations/${name}.graphql`, import.meta.url), 'utf8')

function checked<T extends object>({ data, errors = [] }: Answer<T>): T {
  const parts = Object.values(data ?? {}) as ({ userErrors?: { message: string }[] } | null)[]
  const wrong = [...errors, ...parts.flatMap((part) => part?.userErrors ?? [])]
  if (wrong.length > 0 || !data) throw new Error(wrong.map(({ message }) => message).join('\n') || 'no answer')
  return data
}

/** Runs a query or mutation of operations/ and returns `data`. */
export async function ask<T extends object>(name: string, variables: object): Promise<T> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ query: operation(name), variables }),
  })
  return checked((await response.json()) as Answer<T>)
}

/** Runs a subscription of operations/ over graphql-transport-ws; the package graphql-ws does the same and reconnects. */
export async function* subscribe<T extends object>(name: string, variables: object): AsyncGenerator<T> {
  const socket = new WebSocket(`${url}/graphql`.replace('http', 'ws'), 'graphql-transport-ws')
  const arrived: (T | Error | null)[] = []
  let wake = () => {}
  const give = (what: T | Error | null) => {
    arrived.push(what)
    wake()
  }
  const send = (message: object) => socket.send(JSON.stringify(message))
  socket.onopen = () => send({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } })
  socket.onclose = ({ reason }) => give(new Error(`closed: ${reason}`))
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(String(data)) as { type: string; payload?: unknown }
    switch (message.type) {
      case 'connection_ack': return send({ id: '1', type: 'subscribe', payload: { query: operation(name), variables } })
      case 'ping': return send({ type: 'pong' })
      case 'next': return give(message.payload as T)
      case 'error': return give(new Error(JSON.stringify(message.payload)))
      case 'complete': return give(null)
    }
  }
  try {
    for (;;) {
      while (arrived.length === 0) await new Promise<void>((resolve) => { wake = resolve })
      const next = arrived.shift()
      if (next instanceof Error) throw next
      if (!next) return
      yield checked(next as Answer<T>)
    }
  } finally {
    socket.onclose = null
    socket.close()
  }
}
