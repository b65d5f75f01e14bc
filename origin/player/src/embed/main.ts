import { Player } from '../player/player.ts'
import { View } from '../ui/view.ts'
import { readOptions, withoutToken } from './options.ts'
import { linkToPage } from './page-link.ts'

const root = document.getElementById('player')
if (root) {
  const address = new URL(location.href)
  const options = readOptions(address)
  // Whoever copies the address, or reads the history, finds no token there.
  if (options.token) history.replaceState(history.state, '', withoutToken(address))
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
