import { Button } from '../ui/button.tsx'
import { Dialog, DialogFoot } from '../ui/dialog.tsx'
import type { Conflict } from './conflicts.ts'

export function ConflictDialog({ fields, onMine, onTheirs, onClose }: { fields: readonly Conflict[]; onMine: () => void; onTheirs: () => void; onClose: () => void }) {
  const clash = fields.some((field) => field.clash)
  return (
    <Dialog open wide onOpenChange={onClose} title="Two people changed this" about={clash ? 'Where both changed the same setting, one of the two has to give way.' : 'Your changes and theirs are to different settings: saving yours keeps theirs.'}>
      <div className="table-scroll" tabIndex={0} role="region" aria-label="Differences">
        <table className="table">
          <thead><tr><th scope="col">Setting</th><th scope="col">Yours</th><th scope="col">Theirs, saved</th></tr></thead>
          <tbody>
            {fields.map(({ name, mine, theirs, clash: both }) => (
              <tr key={name}><th scope="row" style={{ padding: '10px 12px 10px 24px', fontSize: 'inherit' }}>{name}</th><td>{both ? <strong>{mine}</strong> : mine}</td><td>{both ? <strong>{theirs}</strong> : theirs}</td></tr>
            ))}
          </tbody>
        </table>
      </div>
      <DialogFoot>
        <Button tone="quiet" onClick={onClose}>Back to the form</Button>
        <Button onClick={onTheirs}>Take theirs, drop mine</Button>
        <Button tone="primary" onClick={onMine}>{clash ? 'Save mine over theirs' : 'Save mine as well'}</Button>
      </DialogFoot>
    </Dialog>
  )
}
