/** webhook.ts SECRET ID TIMESTAMP SIGNATURE < BODY: whether a message is genuine. See docs/webhooks.md. */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { readFileSync } from 'node:fs'

const TOLERANCE_S = 300

/** `secret` is the endpoint's (whsec_…); the next three are the headers webhook-id, webhook-timestamp and webhook-signature. */
export function isGenuine(secret: string, id: string, timestamp: string, signatures: string, body: Buffer): boolean {
  if (!/^\d+$/.test(timestamp) || Math.abs(Date.now() / 1000 - Number(timestamp)) > TOLERANCE_S) return false
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
  const digest = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64')
  const expected = Buffer.from(`v1,${digest}`)
  // While a secret is being replaced there are two signatures.
  return signatures.split(' ').map((text) => Buffer.from(text)).some((one) => one.length === expected.length && timingSafeEqual(one, expected))
}

const [, , secret = '', id = '', timestamp = '', signatures = ''] = process.argv
const genuine = isGenuine(secret, id, timestamp, signatures, readFileSync(0))
console.log(genuine ? 'genuine' : 'not genuine')
process.exitCode = genuine ? 0 : 1
