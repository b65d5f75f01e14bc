/** Keeps the last picture in sight on a canvas while the media element is emptied and filled again. */
export class HeldFrame {
  readonly canvas: HTMLCanvasElement
  readonly #video: HTMLVideoElement

  constructor(video: HTMLVideoElement) {
    this.#video = video
    this.canvas = document.createElement('canvas')
    this.canvas.className = 'held-frame'
    this.canvas.hidden = true
    this.canvas.setAttribute('aria-hidden', 'true')
    for (const event of ['playing', 'seeked', 'loadeddata']) video.addEventListener(event, () => this.release())
  }

  hold(): void {
    const { videoWidth, videoHeight, readyState } = this.#video
    if (!videoWidth || readyState < HTMLMediaElement.HAVE_CURRENT_DATA) return
    this.canvas.width = videoWidth
    this.canvas.height = videoHeight
    try {
      this.canvas.getContext('2d')?.drawImage(this.#video, 0, 0)
      this.canvas.hidden = false
    } catch {
      // Protected media may not be drawn; the screen stays dark for a moment instead.
      this.release()
    }
  }

  release(): void {
    this.canvas.hidden = true
  }
}
