import { Download } from 'lucide-react'
import { useSyncExternalStore } from 'react'
import { closeShown, currentlyShown, listenShown } from '../app/shown-once.ts'
import { Button, buttonStyle } from '../ui/button.tsx'
import { CodeBlock, CopyField } from '../ui/copy.tsx'
import { Dialog, DialogFoot } from '../ui/dialog.tsx'

/** The one place where secrets are shown, outside every page. */
export function ShownOnceDialog() {
  const shown = useSyncExternalStore(listenShown, currentlyShown)
  if (!shown) return null
  const { title, about, label, text, look, note, file, done = 'I have saved it' } = shown
  return (
    <Dialog open sticky wide={look === 'block'} onOpenChange={closeShown} title={title} about={about}>
      {look === 'block' ? <CodeBlock label={label} code={text} /> : <CopyField key={text} label={label} value={text} secret={look === 'secret'} />}
      {note && <p className="quiet small">{note}</p>}
      <DialogFoot>
        {file && <a className={buttonStyle()} href={`data:${file.type};base64,${btoa(text)}`} download={file.name}><Download aria-hidden="true" />Download</a>}
        <Button tone="primary" onClick={closeShown}>{done}</Button>
      </DialogFoot>
    </Dialog>
  )
}
