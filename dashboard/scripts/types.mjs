#!/usr/bin/env node
// Writes the schema as the TypeScript types that every GraphQL document is checked against.
import { writeFile } from 'node:fs/promises'
import { minifyIntrospection, outputIntrospectionFile } from '@gql.tada/internal'
import { introspectionFromSchema } from 'graphql'
import { fileURLToPath } from 'node:url'
import { loadSchema } from './schema.mjs'

const introspection = minifyIntrospection(introspectionFromSchema(loadSchema()))
const text = outputIntrospectionFile(introspection, { fileType: '.d.ts', shouldPreprocess: true })
await writeFile(fileURLToPath(new URL('../graphql/introspection.d.ts', import.meta.url)), text)
