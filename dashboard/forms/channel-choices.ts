export const LATENCIES = [
  { value: 'LOW', name: 'Low', about: 'Two to three seconds from encoder to screen. For anything with an audience that answers.' },
  { value: 'STANDARD', name: 'Standard', about: 'Eight to fifteen seconds, and the best quality per bit. For broadcasts that are only watched.' },
] as const

export const LADDERS = [
  { value: 'DEFAULT', name: 'Adaptive', about: 'Your own video untouched on top where it is fit for it, smaller renditions below it.' },
  { value: 'ENCODED', name: 'Adaptive, all encoded', about: 'Every rendition is encoded here, the top one too. Steadier quality from unsteady encoders.' },
  { value: 'SOURCE', name: 'Source only', about: 'What you send is what viewers get. The cheapest; slow connections will stall.' },
] as const

export const RECORDINGS = [
  { value: 'RECORD', name: 'Record', about: 'Each broadcast has a replay from its first second on, kept until you delete it.' },
  { value: 'NONE', name: 'Do not record', about: 'There is no replay: what viewers have not seen live, nobody can see.' },
] as const
