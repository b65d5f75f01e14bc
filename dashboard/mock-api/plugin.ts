import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { extname, join } from 'node:path'
import type { Plugin } from 'vite'
import { loadSdl } from '../scripts/schema.mjs'
import { createMock } from './server.ts'

/** The same rules as the service's own, so that what they forbid fails in tests already. */
const policy = (nonce: string) => [
  "default-src 'none'", "script-src 'self'", `style-src 'self' 'nonce-${nonce}'`, "img-src 'self' data:", "font-src 'self'", "connect-src 'self'",
  "frame-src 'self'", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'",
].join('; ')

interface Served { middlewares: { use: (handler: (request: IncomingMessage, response: ServerResponse, next: (problem?: unknown) => void) => void) => void }; httpServer: unknown }

/** Serves the mock API beside the pages, in development and when the built files are previewed. */
export function mockApi(): Plugin {
  const attach = (server: Served) => {
    const mock = createMock(loadSdl())
    server.middlewares.use((request, response, next) => {
      mock.handle(request, response).then((answered) => { if (!answered) next() }, next)
    })
    const http = server.httpServer as Server | null
    http?.on('upgrade', (request, socket, head) => {
      if (request.url === '/graphql') mock.upgrade(request, socket, head)
    })
    http?.on('close', mock.close)
  }
  return {
    name: 'mock-api',
    configureServer: attach,
    configurePreviewServer(server) {
      attach(server)
      const index = join(server.config.root, server.config.build.outDir, 'index.html')
      server.middlewares.use((request, response, next) => {
        if (extname(new URL(request.url ?? '/', 'http://mock').pathname) !== '') return next()
        const nonce = randomBytes(16).toString('base64')
        response.setHeader('Content-Security-Policy', policy(nonce))
        response.setHeader('Content-Type', 'text/html; charset=utf-8')
        response.end(readFileSync(index, 'utf8').replaceAll('CSP_NONCE', nonce))
      })
    },
  }
}
