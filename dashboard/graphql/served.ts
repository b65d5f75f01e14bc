import { type DocumentNode, Kind, type SelectionNode, type SelectionSetNode } from '@0no-co/graphql.web'
import { createContext, useContext } from 'react'
import { type AnyVariables, type Client, createRequest, type Exchange, makeOperation, mapExchange } from 'urql'

/**
 * What the service that answers can do, as `Type.field`, and what it can say, as `Enum.VALUE`. During an upgrade, and on an installation that is older than this
 * dashboard, some fields are not there yet: they are marked `@ifServed(field: "Type.field")` in documents and left out.
 */
export type Served = ReadonlySet<string>

const TYPES = ['Query', 'Mutation', 'Subscription', 'Channel', 'Broadcast', 'Rendition', 'Asset', 'StreamKey', 'SigningKey', 'PlaybackUrls', 'IngestAddresses', 'User', 'SignInPayload', 'InvitationCreatePayload', 'WebhookEventType'] as const
const QUERY = `query Served { ${TYPES.map((name) => `${name}: __type(name: "${name}") { fields { name } enumValues { name } }`).join(' ')} }`

/** Asks once; null when nobody answered. */
export async function askServed(client: Client): Promise<Served | null> {
  const { data } = await client.query<Record<string, { fields: { name: string }[] | null; enumValues: { name: string }[] | null } | null>>(QUERY, {}).toPromise()
  return data ? new Set(Object.entries(data).flatMap(([type, found]) => [...(found?.fields ?? []), ...(found?.enumValues ?? [])].map(({ name }) => `${type}.${name}`))) : null
}

const ServedContext = createContext<Served>(new Set())
export const ServedProvider = ServedContext.Provider

/** Whether the service has a field, for what is shown only then. */
export function useServed(): (field: string) => boolean {
  const served = useContext(ServedContext)
  return (field) => served.has(field)
}

/** A document without what is not served, and without the marks. */
export function prune(document: DocumentNode, served: Served): DocumentNode {
  const pruned = (set: SelectionSetNode): SelectionSetNode => ({
    ...set,
    selections: set.selections.flatMap((selection): SelectionNode[] => {
      if (selection.kind === Kind.FRAGMENT_SPREAD) return [selection]
      const mark = selection.directives?.find(({ name }) => name.value === 'ifServed')
      const field = mark?.arguments?.[0]?.value
      if (field?.kind === Kind.STRING && !served.has(field.value)) return []
      return [{
        ...selection,
        ...(mark && { directives: selection.directives!.filter((one) => one !== mark) }),
        ...(selection.selectionSet && { selectionSet: pruned(selection.selectionSet) }),
      }]
    }),
  })
  // A new document: the old one's text and key are not carried over.
  return { kind: document.kind, definitions: document.definitions.map((definition) => ('selectionSet' in definition ? { ...definition, selectionSet: pruned(definition.selectionSet) } : definition)) } as DocumentNode
}

/** Prunes every document on its way out, before the cache sees it. */
export function servedExchange(served: () => Served): Exchange {
  let known = new Map<unknown, DocumentNode>()
  let by: Served | undefined
  return mapExchange({
    onOperation: (operation) => {
      if (by !== served()) known = new Map()
      by = served()
      const document = known.get(operation.query) ?? (createRequest(prune(operation.query as DocumentNode, served()), operation.variables as AnyVariables).query as DocumentNode)
      known.set(operation.query, document)
      return makeOperation(operation.kind, { ...operation, query: document as typeof operation.query }, operation.context)
    },
  })
}
