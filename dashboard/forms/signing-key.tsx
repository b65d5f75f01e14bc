import { useState } from 'react'
import { showOnce } from '../app/shown-once.ts'
import { graphql } from '../graphql/index.ts'
import { useAction } from '../graphql/use.ts'
import { Button } from '../ui/button.tsx'
import { Confirm } from '../ui/confirm.tsx'
import { Dialog, DialogFoot } from '../ui/dialog.tsx'
import { ChoiceList, Field, Input, TextArea } from '../ui/field.tsx'
import { Notice } from '../ui/notice.tsx'
import { useToast } from '../ui/toast.tsx'
import { ALGORITHMS } from './signing-algorithms.ts'

const CreateMutation = graphql(`
  mutation SigningKeyCreate($input: SigningKeyCreateInput!) {
    signingKeyCreate(input: $input) { signingKey { id } privateKey userErrors { code field message } }
  }
`)
const ImportMutation = graphql(`
  mutation SigningKeyImport($input: SigningKeyImportInput!) {
    signingKeyImport(input: $input) { signingKey { id } userErrors { code field message } }
  }
`)
const RevokeMutation = graphql(`
  mutation SigningKeyRevoke($input: SigningKeyRevokeInput!) {
    signingKeyRevoke(input: $input) { signingKey { id revokedAt } userErrors { code field message } }
  }
`)

type Algorithm = (typeof ALGORITHMS)[number]['value']

const HALVES = [
  { value: 'mine', name: 'Your server has the private half', about: 'It is shown once, and the service keeps the public half alone. Your server signs a token for each viewer.' },
  { value: 'managed', name: 'The service keeps the private half', about: 'Sealed, and shown to nobody. Tokens are made here or over the API, with playbackTokenCreate.' },
] as const

const showPrivateKey = (id: string, privateKey: string) => showOnce({
  title: 'Your new private key', about: 'Save it now: the service keeps the public half alone, so nobody can show it to you again.',
  label: 'Private key', text: privateKey, look: 'block', note: `Tokens that it signs name it as kid: ${id}`, file: { name: `${id}.pem`, type: 'application/x-pem-file' },
})

/** Makes a pair; as a replacement it has the name and algorithm of the key that it follows, and both count. */
export function KeyDialog({ replaced, onClose }: { replaced?: { name: string; algorithm: Algorithm | null; managed: boolean }; onClose: () => void }) {
  const [name, setName] = useState(replaced?.name ?? '')
  const [algorithm, setAlgorithm] = useState<Algorithm>(replaced?.algorithm ?? 'ES256')
  const [half, setHalf] = useState<(typeof HALVES)[number]['value']>(replaced?.managed ? 'managed' : 'mine')
  const toast = useToast()
  const { run, busy, errors } = useAction(CreateMutation, ({ signingKeyCreate }) => signingKeyCreate)
  return (
    <Dialog
      open
      wide
      onOpenChange={onClose}
      title={replaced ? <>Rotate <bdi>{replaced.name}</bdi></> : 'New signing key'}
      about={replaced ? 'A new key takes its place, and both count. Move your server to the new one, wait until the last token of the old one has expired, then revoke the old one: no viewer notices.' : 'A pair: the private half signs tokens, the public half checks them.'}
    >
      <form
        className="stack"
        onSubmit={async (event) => {
          event.preventDefault()
          const done = busy ? null : await run({ name, algorithm, ...(half === 'managed' && { managed: true }) })
          if (!done?.signingKey) return
          if (done.privateKey) showPrivateKey(done.signingKey.id, done.privateKey)
          else toast({ title: 'The key is made' })
          onClose()
        }}
      >
        {errors[''] && <Notice tone="danger">{errors['']}</Notice>}
        <Field label="Name" error={errors['name']} hint="Which server signs with it.">{(parts) => <Input {...parts} required autoFocus maxLength={200} dir="auto" value={name} onChange={(event) => setName(event.target.value)} />}</Field>
        <ChoiceList label="Algorithm" value={algorithm} onChange={setAlgorithm} choices={ALGORITHMS} />
        <ChoiceList label="Private half" value={half} onChange={setHalf} choices={HALVES} />
        <DialogFoot><Button onClick={onClose}>Cancel</Button><Button type="submit" tone="primary" busy={busy}>{replaced ? 'Make the new key' : 'Create the key'}</Button></DialogFoot>
      </form>
    </Dialog>
  )
}

const PEM_BYTES_MAX = 16_000

/** Takes the public half of a pair that was made elsewhere, pasted or from a file. */
export function ImportKeyDialog({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState('')
  const [algorithm, setAlgorithm] = useState<Algorithm>('ES256')
  const [publicKey, setPublicKey] = useState('')
  const [problem, setProblem] = useState<string | null>(null)
  const toast = useToast()
  const { run, busy, errors } = useAction(ImportMutation, ({ signingKeyImport }) => signingKeyImport)
  const isPrivate = /-----BEGIN [A-Z ]*PRIVATE KEY-----/u.test(publicKey)
  const read = async (file: File | undefined) => {
    if (!file) return
    if (file.size > PEM_BYTES_MAX) return setProblem('This file is too large to be a public key.')
    setProblem(null)
    setPublicKey((await file.text()).trim())
    if (!name) setName(file.name.replace(/\.(pem|pub|key|txt)$/iu, ''))
  }
  return (
    <Dialog open wide onOpenChange={onClose} title="Import a signing key" about="Only the public half: the private one stays with you.">
      <form
        className="stack"
        onSubmit={async (event) => {
          event.preventDefault()
          if (busy || isPrivate || !(await run({ name, algorithm, publicKey }))) return
          toast({ title: 'The key is imported' })
          onClose()
        }}
      >
        {errors[''] && <Notice tone="danger">{errors['']}</Notice>}
        <Field label="Name" error={errors['name']}>{(parts) => <Input {...parts} required autoFocus maxLength={200} dir="auto" value={name} onChange={(event) => setName(event.target.value)} />}</Field>
        <ChoiceList label="Algorithm" value={algorithm} onChange={setAlgorithm} choices={ALGORITHMS} />
        <Field label="PEM file" optional error={problem ?? undefined}>{(parts) => <input {...parts} type="file" className="input" accept=".pem,.pub,.key,.txt,application/x-pem-file" onChange={(event) => void read(event.target.files?.[0])} />}</Field>
        <Field label="Public key" error={isPrivate ? 'This is a private key. Keep it, and bring its public half: openssl pkey -in key.pem -pubout' : errors['publicKey']} hint="PEM, as openssl pkey -pubout writes it.">
          {(parts) => <TextArea {...parts} required rows={6} className="mono" spellCheck={false} placeholder="-----BEGIN PUBLIC KEY-----" value={publicKey} onChange={(event) => setPublicKey(event.target.value)} />}
        </Field>
        <DialogFoot><Button onClick={onClose}>Cancel</Button><Button type="submit" tone="primary" busy={busy} disabledBecause={isPrivate && 'It is a private key.'}>Import the key</Button></DialogFoot>
      </form>
    </Dialog>
  )
}

export function RevokeSigningKey({ signingKey: { id, name }, last, onClose }: { signingKey: { id: string; name: string }; last: boolean; onClose: () => void }) {
  const { attempt } = useAction(RevokeMutation, ({ signingKeyRevoke }) => signingKeyRevoke)
  const toast = useToast()
  return (
    <Confirm
      open
      onOpenChange={onClose}
      title={<>Revoke <bdi>{name}</bdi>?</>}
      about="Destroyed for ever, within a second: every token that it signed. Whoever watches with one is cut off at the next segment, and a CDN that checks tokens itself has to be told by you."
      act="Revoke the key"
      onConfirm={async () => {
        const problem = await attempt({ id })
        if (!problem) toast({ title: `${name} is revoked` })
        return problem
      }}
    >
      {last && <Notice tone="danger" title="It is the only working key">No signed playback id plays for anybody until you have made another and signed new tokens. Rotate it instead, to keep viewers watching.</Notice>}
    </Confirm>
  )
}
