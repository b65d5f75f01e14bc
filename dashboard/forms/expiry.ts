const DAY_MS = 86_400_000

/** Choices for when a secret expires; the value is in days. */
export const EXPIRIES = [
  { value: '', name: 'Never' },
  { value: '1', name: 'In a day' },
  { value: '7', name: 'In a week' },
  { value: '30', name: 'In 30 days' },
  { value: '90', name: 'In 90 days' },
  { value: '365', name: 'In a year' },
] as const

export const expiryDate = (days: string): string | null => (days ? new Date(Date.now() + Number(days) * DAY_MS).toISOString() : null)
