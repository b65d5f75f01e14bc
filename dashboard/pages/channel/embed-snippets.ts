export interface EmbedOptions {
  /** The address of the player page. */
  url: string
  playbackId: string
  title: string
  autoplay: boolean
  muted: boolean
  /** Each viewer needs a token of their own. */
  signed: boolean
}

export function embedUrl(url: string, { autoplay, muted }: Pick<EmbedOptions, 'autoplay' | 'muted'>): string {
  const target = new URL(url)
  if (!autoplay) target.searchParams.set('autoplay', '0')
  if (!muted) target.searchParams.set('muted', '0')
  return target.href
}

const attribute = (text: string) => text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;')

const ALLOW = 'autoplay; fullscreen; picture-in-picture; encrypted-media'

/** Stands where the page of a viewer carries their token. */
const TOKEN = 'TOKEN'

/** What to paste, for the kinds of page that can show it. */
export function embedSnippets(options: EmbedOptions): readonly { id: string; name: string; about: string; code: string }[] {
  const { url, playbackId, title, autoplay, muted, signed } = options
  const plain = new URL(embedUrl(url, options))
  // Behind a #, which browsers send to no server.
  if (signed) plain.hash = `token=${TOKEN}`
  const address = plain.href
  const source = signed ? `{\`${address.replace(TOKEN, '${token}')}\`}` : `{${JSON.stringify(address)}}`
  const frame = {
    id: 'iframe',
    name: 'iframe',
    about: signed ? `Your server writes the page with a fresh token of each viewer in the place of ${TOKEN}.` : 'Works on every page and in every content system.',
    code: `<iframe\n  src="${attribute(address)}"\n  title="${attribute(title)}"\n  style="width: 100%; aspect-ratio: 16 / 9; border: 0"\n  allow="${ALLOW}"\n  allowfullscreen\n></iframe>`,
  }
  const script = {
    id: 'script',
    name: 'Script',
    about: 'Puts the player where the tag stands, and gives your page its events and controls.',
    code: `<script\n  src="${attribute(new URL('/embed.js', url).href)}"\n  data-playback-id="${attribute(playbackId)}"\n  data-title="${attribute(title)}"${signed ? `\n  data-token="${TOKEN}"` : ''}${autoplay ? '' : '\n  data-autoplay="false"'}${muted ? '' : '\n  data-muted="false"'}\n></script>`,
  }
  const react = {
    id: 'react',
    name: 'React',
    about: signed ? 'A component without a dependency. Fetch the token from your server first.' : 'A component without a dependency.',
    code: `export function Player(${signed ? '{ token }' : ''}) {\n  return (\n    <iframe\n      src=${source}\n      title={${JSON.stringify(title)}}\n      style={{ width: '100%', aspectRatio: '16 / 9', border: 0 }}\n      allow="${ALLOW}"\n      allowFullScreen\n    />\n  )\n}`,
  }
  return [frame, script, react]
}
