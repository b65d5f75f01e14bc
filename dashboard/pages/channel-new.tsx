import { usePlace } from '../app/place.tsx'
import { Page } from '../components/page.tsx'
import { ChannelCreateForm } from '../forms/channel-create.tsx'
import { Card } from '../ui/card.tsx'
import { Notice } from '../ui/notice.tsx'

export default function ChannelNewPage() {
  const { to, refused } = usePlace()
  const why = refused('CHANNEL_WRITE', 'create channels')
  return (
    <Page title="New channel" crumbs={[['Channels', to.channels()]]} narrow>
      {why ? <Notice tone="warn">{why}</Notice> : <Card><ChannelCreateForm /></Card>}
    </Page>
  )
}
