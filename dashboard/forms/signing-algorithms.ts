export const ALGORITHMS = [
  { value: 'ES256', name: 'ES256', about: 'ECDSA with P-256. Short tokens, and every library knows it.' },
  { value: 'EDDSA', name: 'EdDSA', about: 'Ed25519. Short tokens, quick to sign; some older libraries lack it.' },
  { value: 'RS256', name: 'RS256', about: 'RSA, 2048 bits. Understood everywhere; tokens are some 250 characters longer.' },
] as const
