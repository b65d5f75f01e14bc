const NAMESPACE = 'http://www.w3.org/2000/svg'

/** Every icon is drawn on a 24 by 24 grid: filled shapes, then lines two units wide. */
const SHAPES = {
  play: { fill: 'M8 5.2v13.6a.8.8 0 0 0 1.2.7l10.9-6.8a.8.8 0 0 0 0-1.4L9.2 4.5A.8.8 0 0 0 8 5.2z' },
  pause: { fill: 'M7 5h3.4v14H7zM13.6 5H17v14h-3.4z' },
  replay: { line: 'M4.5 12a7.5 7.5 0 1 0 2.4-5.5M4.6 3.8v4h4' },
  volume: { fill: 'M4 9.3v5.4h3.4l4.6 4V5.3l-4.6 4z', line: 'M15.2 9a4.2 4.2 0 0 1 0 6M17.6 6.4a7.9 7.9 0 0 1 0 11.2' },
  muted: { fill: 'M4 9.3v5.4h3.4l4.6 4V5.3l-4.6 4z', line: 'M15.5 9.5l5 5M20.5 9.5l-5 5' },
  pip: { line: 'M10 18H4.5A1.5 1.5 0 0 1 3 16.500V6.500A1.500 1.500 0 0 1 4.500 5h15A1.500 1.500 0 0 1 21 6.500V10', fill: 'M12.500 12.500h8.500a1 1 0 0 1 1 1v5a1 1 0 0 1-1 1h-8.500a1 1 0 0 1-1-1v-5a1 1 0 0 1 1-1z' },
  fullscreen: { line: 'M4 9V4.500h5M15 4.500h5V9M20 15v4.500h-5M9 19.500H4V15' },
  shrink: { line: 'M9 4.500V9H4M20 9h-5V4.500M15 19.500V15h5M4 15h5v4.500' },
  help: { line: 'M9.300 9.200a2.800 2.800 0 1 1 4.200 2.500c-1 .6-1.500 1.200-1.500 2.300M12 17.200v.1' },
  check: { line: 'M5 12.500l4.500 4.500L19 7.500' },
  close: { line: 'M6 6l12 12M18 6L6 18' },
} as const

export type IconName = keyof typeof SHAPES

/** Draws an icon. It says nothing to screen readers: the button around it carries the words. */
export function icon(name: IconName): SVGSVGElement {
  const svg = document.createElementNS(NAMESPACE, 'svg')
  svg.setAttribute('viewBox', '0 0 24 24')
  svg.setAttribute('class', 'icon')
  svg.setAttribute('aria-hidden', 'true')
  svg.setAttribute('focusable', 'false')
  for (const [kind, path] of Object.entries(SHAPES[name])) {
    const element = document.createElementNS(NAMESPACE, 'path')
    element.setAttribute('d', path)
    element.setAttribute('class', kind)
    svg.append(element)
  }
  return svg
}
