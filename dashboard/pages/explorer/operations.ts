import { type DocumentNode, Kind, type OperationTypeNode, parse } from 'graphql'

/** The operations of a text as documents, each with every fragment of it; or a sentence on why it cannot be read. */
export function operationsOf(text: string): { operations: { kind: OperationTypeNode; document: DocumentNode }[]; error: string | null } {
  try {
    const { definitions } = parse(text)
    const fragments = definitions.filter(({ kind }) => kind === Kind.FRAGMENT_DEFINITION)
    const operations = definitions.filter((definition) => definition.kind === Kind.OPERATION_DEFINITION)
      .map((operation) => ({ kind: operation.operation, document: { kind: Kind.DOCUMENT, definitions: [operation, ...fragments] } as DocumentNode }))
    return { operations, error: null }
  } catch (problem) {
    return { operations: [], error: (problem as Error).message }
  }
}
