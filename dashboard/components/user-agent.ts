const BROWSERS: readonly [RegExp, string][] = [[/Edg\//u, 'Edge'], [/OPR\//u, 'Opera'], [/Firefox\//u, 'Firefox'], [/Chrome\//u, 'Chrome'], [/Safari\//u, 'Safari']]
const SYSTEMS: readonly [RegExp, string][] = [[/iPhone|iPad/u, 'iOS'], [/Android/u, 'Android'], [/Mac OS X/u, 'macOS'], [/Windows/u, 'Windows'], [/Linux/u, 'Linux']]

/** A browser and its system as their owner would call them. */
export function describeUserAgent(text: string): { name: string; phone: boolean } {
  const browser = BROWSERS.find(([pattern]) => pattern.test(text))?.[1]
  const system = SYSTEMS.find(([pattern]) => pattern.test(text))?.[1]
  return { name: browser && system ? `${browser} on ${system}` : (browser ?? system ?? (text.slice(0, 60) || 'Unknown client')), phone: /iPhone|Android.*Mobile/u.test(text) }
}
