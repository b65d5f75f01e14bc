import react from '@vitejs/plugin-react'
import { defineConfig } from 'vitest/config'
import { mockApi } from './mock-api/plugin.ts'

export default defineConfig({
  plugins: [react(), mockApi()],
  // The server writes a fresh nonce over this word in every answer; styles that scripts insert carry it.
  html: { cspNonce: 'CSP_NONCE' },
  test: { include: ['**/*.test.ts'] },
  build: {
    manifest: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // The editor of the API explorer, loaded when it is opened.
    chunkSizeWarningLimit: 700,
  },
})
