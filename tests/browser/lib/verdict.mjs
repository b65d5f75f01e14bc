/** Says in sentences what a report lacks of what the arguments demand. An empty list is a pass. */
export function verdict(report, args) {
  const failures = []
  const need = (holds, sentence) => holds || failures.push(sentence)
  const number = (name) => (args[name] === undefined ? null : Number(args[name]))
  const atMost = (name, value, what) => number(name) !== null && need(value !== null && value <= number(name), `${what} is ${value}, more than ${number(name)}`)
  const atLeast = (name, value, what) => number(name) !== null && need(value !== null && value >= number(name), `${what} is ${value}, less than ${number(name)}`)

  if (args['expect-state'] !== undefined) need(report.state === args['expect-state'], `the state is ${report.state}, not ${args['expect-state']} (seen: ${report.states.join(', ')})`)
  if (args['no-media']) return failures
  need(report.started, 'no picture was shown')
  for (const { code, detail } of report.errors.filter(({ fatal }) => fatal)) failures.push(`fatal error ${code}: ${detail}`)
  atMost('max-errors', report.errors.length, 'the number of errors')
  if (!report.started) return failures
  atMost('max-startup-ms', report.firstFrameMs, 'the time to the first picture in ms')
  atMost('max-stall-ms', report.stalls.totalMs + standing(report), 'the time that the picture stood still in ms')
  atMost('max-stalls', report.stalls.count, 'the number of stalls')
  atMost('max-dropped', report.frames.dropped, 'the number of dropped frames')
  atMost('max-latency-ms', report.latencyMs?.p50 ?? null, 'the median latency in ms')
  atLeast('min-frames', report.frames.total, 'the number of frames')
  atLeast('min-played-s', report.playedS, 'the time played in s')
  atLeast('min-levels', report.levels.length, 'the number of qualities')
  if (args['expect-live'] !== undefined) need(report.live === (args['expect-live'] === 'yes'), `live is ${report.live}`)
  for (const { label, reached, thenPlayedS } of report.switches) {
    need(reached, `quality ${label} never came on screen`)
    need(thenPlayedS > 0.5, `after the switch to ${label} only ${thenPlayedS} s played`)
  }
  for (const { share, ok, why } of report.seeks) need(ok, `the seek to ${share} of the window failed${why ? `: ${why}` : ''}`)
  return failures
}

/** A picture that stands at the end of the watch has no end of its own in the list of stalls. */
function standing(report) {
  return report.state === 'ended' || report.standingMs === null || report.standingMs < 500 ? 0 : report.standingMs
}
