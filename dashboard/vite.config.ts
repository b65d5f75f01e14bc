import react from '@vitejs/plugin-react'
import { defineConfig } from 'vitest/config'
import { mockApi } from './mock-api/plugin.ts'

/**
 * GraphiQL's sheet carries two fonts as `data:` addresses, which our content security policy refuses. It gets our own fonts, and is
 * a tenth of the size.
 */
const withoutFonts = {
  name: 'graphiql-without-fonts',
  enforce: 'pre' as const,
  transform: (code: string, id: string) => (/\/graphiql\/dist\/style\.css/u.test(id) ? code.replaceAll(/@font-face\s*\{[^}]*\}/gu, '') : undefined),
}

export default defineConfig({
  plugins: [withoutFonts, react(), mockApi()],
  // The server writes a fresh nonce over this word in every answer; styles that scripts insert carry it.
  html: { cspNonce: 'CSP_NONCE' },
  test: { include: ['**/*.test.ts'] },
  build: {
    manifest: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // Directives of a compiler's helpers, which bundling makes void.
    rolldownOptions: { onwarn: (warning, warn) => { if (warning.code !== 'MODULE_LEVEL_DIRECTIVE') warn(warning) } },
    // GraphiQL, loaded when it is opened.
    chunkSizeWarningLimit: 700,
  },
})
