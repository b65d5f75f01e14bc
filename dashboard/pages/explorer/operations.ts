import { type DocumentNode, Kind, type OperationTypeNode, parse } from 'graphql'

/** The operation of that name, or the first one, as a document with every fragment of the text. */
export function operationOf(text: string, name?: string | null): { kind: OperationTypeNode; document: DocumentNode } {
  const { definitions } = parse(text)
  const fragments = definitions.filter(({ kind }) => kind === Kind.FRAGMENT_DEFINITION)
  const operations = definitions.filter((definition) => definition.kind === Kind.OPERATION_DEFINITION)
  const operation = operations.find((one) => one.name?.value === name) ?? operations[0]
  if (!operation) throw new Error('There is no operation to run.')
  return { kind: operation.operation, document: { kind: Kind.DOCUMENT, definitions: [operation, ...fragments] } as DocumentNode }
}
