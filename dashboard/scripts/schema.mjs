import { readFileSync } from 'node:fs'
import { buildSchema } from 'graphql'

const SCHEMA = new URL('../graphql/schema.graphql', import.meta.url)

export const loadSdl = () => readFileSync(SCHEMA, 'utf8')
export const loadSchema = () => buildSchema(loadSdl())
