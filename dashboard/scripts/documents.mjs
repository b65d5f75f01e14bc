#!/usr/bin/env node
// Validates every GraphQL document in the sources against the schema, with the fragments it is used with.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { glob } from './files.mjs'
import { loadSchema } from './schema.mjs'
import { NoUnusedFragmentsRule, parse, specifiedRules, validate } from 'graphql'

const root = fileURLToPath(new URL('..', import.meta.url))
const documents = []
for (const file of glob(root, ['app', 'pages', 'forms', 'components', 'graphql'], /\.tsx?$/u)) {
  for (const [, text] of readFileSync(join(root, file), 'utf8').matchAll(/\bgraphql\(\s*`([^`]+)`/gu)) documents.push({ file, document: parse(text.replace(' @_unmask', '')) })
}
const fragments = new Map(documents.flatMap(({ document }) => document.definitions.filter(({ kind }) => kind === 'FragmentDefinition').map((fragment) => [fragment.name.value, fragment])))
const schema = loadSchema()
const rules = specifiedRules.filter((rule) => rule !== NoUnusedFragmentsRule)
const names = new Set()
let failures = 0
const fail = (file, message) => { failures += 1; console.error(`${file}: ${message}`) }
for (const { file, document } of documents) {
  const used = new Map()
  const add = (node) => JSON.stringify(node, (key, value) => {
    if (value?.kind === 'FragmentSpread' && !used.has(value.name.value)) {
      const fragment = fragments.get(value.name.value)
      if (!fragment) fail(file, `fragment ${value.name.value} is nowhere`)
      else { used.set(value.name.value, fragment); add(fragment) }
    }
    return key === 'loc' ? undefined : value
  })
  add(document)
  for (const definition of document.definitions) {
    if (names.has(definition.name.value)) fail(file, `${definition.name.value} is defined twice`)
    names.add(definition.name.value)
    used.delete(definition.name.value)
  }
  const whole = { kind: 'Document', definitions: [...document.definitions, ...used.values()] }
  for (const error of validate(schema, whole, rules)) fail(file, error.message)
}
console.log(`${documents.length} documents checked against the schema`)
process.exit(failures > 0 ? 1 : 0)
