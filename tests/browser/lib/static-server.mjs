import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { dirname, extname, join, normalize, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const SERVED = ['pages', 'node_modules']
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript' }

/** Serves `pages/` and `node_modules/` on loopback; returns its address and how to stop it. */
export async function servePages() {
  const server = createServer(async (request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, 'http://localhost').pathname)).split(sep).join('/').slice(1)
    const body = SERVED.includes(path.split('/')[0]) ? await readFile(join(root, path)).catch(() => null) : null
    if (body === null) response.writeHead(404).end()
    else response.writeHead(200, { 'content-type': TYPES[extname(path)] ?? 'application/octet-stream' }).end(body)
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    close: () => new Promise((resolve) => {
      server.closeAllConnections()
      server.close(resolve)
    }),
  }
}
