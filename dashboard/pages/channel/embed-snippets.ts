export interface EmbedOptions {
  /** The address of the player page. */
  url: string
  playbackId: string
  title: string
  autoplay: boolean
  muted: boolean
}

export function embedUrl(url: string, { autoplay, muted }: Pick<EmbedOptions, 'autoplay' | 'muted'>): string {
  const target = new URL(url)
  if (!autoplay) target.searchParams.set('autoplay', '0')
  if (!muted) target.searchParams.set('muted', '0')
  return target.href
}

const attribute = (text: string) => text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;')

const ALLOW = 'autoplay; fullscreen; picture-in-picture; encrypted-media'

/** What to paste, for the three kinds of page. */
export function embedSnippets(options: EmbedOptions): readonly { id: string; name: string; about: string; code: string }[] {
  const { url, playbackId, title, autoplay, muted } = options
  const address = embedUrl(url, options)
  return [
    {
      id: 'iframe',
      name: 'iframe',
      about: 'Works on every page and in every content system.',
      code: `<iframe\n  src="${attribute(address)}"\n  title="${attribute(title)}"\n  style="width: 100%; aspect-ratio: 16 / 9; border: 0"\n  allow="${ALLOW}"\n  allowfullscreen\n></iframe>`,
    },
    {
      id: 'script',
      name: 'Script',
      about: 'Puts the player where the tag stands, and gives your page its events and controls.',
      code: `<script\n  src="${attribute(new URL('/embed.js', url).href)}"\n  data-playback-id="${attribute(playbackId)}"\n  data-title="${attribute(title)}"${autoplay ? '' : '\n  data-autoplay="false"'}${muted ? '' : '\n  data-muted="false"'}\n></script>`,
    },
    {
      id: 'react',
      name: 'React',
      about: 'A component without a dependency.',
      code: `export function Player() {\n  return (\n    <iframe\n      src=${JSON.stringify(address)}\n      title={${JSON.stringify(title)}}\n      style={{ width: '100%', aspectRatio: '16 / 9', border: 0 }}\n      allow="${ALLOW}"\n      allowFullScreen\n    />\n  )\n}`,
    },
  ]
}
