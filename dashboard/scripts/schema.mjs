import { readFileSync } from 'node:fs'
import { buildSchema, extendSchema, Kind, parse, printSchema } from 'graphql'

const read = (file) => readFileSync(new URL(file, import.meta.url), 'utf8')

/** What is in ahead.graphql and in the service as well: `Type.field`, `Enum.VALUE`, or a whole type. */
export const servedByNow = []

/** What a definition of ahead.graphql adds to the service's schema; null where that is nothing. */
function added(served, definition) {
  const name = definition.name?.value
  const type = served.getType(name)
  if (definition.kind === Kind.DIRECTIVE_DEFINITION || !type) return definition
  if (!definition.kind.endsWith('Extension')) {
    servedByNow.push(name)
    return null
  }
  const isNew = (has) => (member) => {
    if (has(member.name.value)) servedByNow.push(`${name}.${member.name.value}`)
    return !has(member.name.value)
  }
  const fields = definition.fields?.filter(isNew((field) => field in type.getFields()))
  const values = definition.values?.filter(isNew((value) => Boolean(type.getValue(value))))
  return (fields ?? values).length > 0 ? { ...definition, ...(fields && { fields }), ...(values && { values }) } : null
}

/** The service's schema and what the dashboard is ready for beyond it. The service's own word counts where both have one. */
export function loadSchema() {
  servedByNow.length = 0
  const served = buildSchema(read('../../api/schema.graphql'))
  const { definitions } = parse(read('../graphql/ahead.graphql'))
  return extendSchema(served, { kind: Kind.DOCUMENT, definitions: definitions.map((one) => added(served, one)).filter(Boolean) })
}
export const loadSdl = () => printSchema(loadSchema())
