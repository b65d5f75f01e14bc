type WebkitVideo = HTMLVideoElement & { webkitEnterFullscreen?: () => void; webkitSupportsFullscreen?: boolean }

/** Fullscreen and picture-in-picture, where the browser and the page around us allow them. */
export class Windows {
  readonly #stage: HTMLElement
  readonly #video: WebkitVideo

  constructor(stage: HTMLElement, video: HTMLVideoElement, onChange: () => void) {
    this.#stage = stage
    this.#video = video
    document.addEventListener('fullscreenchange', onChange)
    video.addEventListener('enterpictureinpicture', onChange)
    video.addEventListener('leavepictureinpicture', onChange)
  }

  canFullscreen(): boolean {
    return document.fullscreenEnabled || this.#video.webkitEnterFullscreen !== undefined
  }

  isFullscreen(): boolean {
    return document.fullscreenElement !== null
  }

  toggleFullscreen(): void {
    if (document.fullscreenElement) void document.exitFullscreen()
    else if (document.fullscreenEnabled) void this.#stage.requestFullscreen().catch(() => undefined)
    else this.#video.webkitEnterFullscreen?.()
  }

  canPictureInPicture(): boolean {
    return document.pictureInPictureEnabled === true && !this.#video.disablePictureInPicture
  }

  isPictureInPicture(): boolean {
    return document.pictureInPictureElement === this.#video
  }

  togglePictureInPicture(): void {
    if (this.isPictureInPicture()) void document.exitPictureInPicture().catch(() => undefined)
    else void this.#video.requestPictureInPicture().catch(() => undefined)
  }
}
