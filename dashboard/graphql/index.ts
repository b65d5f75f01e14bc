import { initGraphQLTada } from 'gql.tada'
import type { introspection } from './introspection.d.ts'

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

/** Types a document by the schema. Fragments are masked: only the component that defines one reads it. */
export const graphql = initGraphQLTada<{
  introspection: introspection
  scalars: { DateTime: string; JSON: { [key: string]: Json }; Long: number }
}>()

export { type FragmentOf, readFragment, type ResultOf, type VariablesOf } from 'gql.tada'
