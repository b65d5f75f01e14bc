import { readFileSync } from 'node:fs'
import { buildSchema } from 'graphql'

/** The service's schema, as it is checked in. */
export const loadSdl = () => readFileSync(new URL('../../api/schema.graphql', import.meta.url), 'utf8')
export const loadSchema = () => buildSchema(loadSdl())
