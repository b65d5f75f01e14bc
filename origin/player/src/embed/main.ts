import { Player } from '../player/player.ts'
import { View } from '../ui/view.ts'
import { readOptions } from './options.ts'
import { linkToPage } from './page-link.ts'

const root = document.getElementById('player')
if (root) {
  const options = readOptions(new URL(location.href))
  const video = document.createElement('video')
  video.playsInline = true
  video.preload = 'auto'
  video.tabIndex = -1
  const player = new Player(video, options)
  new View(root, player)
  linkToPage(player)
  player.events.emit('ready', { playbackId: options.playbackId })
  player.start()
}
