/** A still of a landscape in one hue. */
export const thumbnail = (hue: number) => `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 160 90"><defs><linearGradient id="s" x2="0" y2="1"><stop stop-color="hsl(${hue} 60% 30%)"/><stop offset="1" stop-color="hsl(${(hue + 40) % 360} 70% 62%)"/></linearGradient></defs><rect width="160" height="90" fill="url(#s)"/><circle cx="${40 + (hue % 80)}" cy="44" r="13" fill="hsl(${(hue + 50) % 360} 90% 82%)"/><path d="M0 66 34 44l26 20 30-26 34 28 36-16v40H0z" fill="hsl(${hue} 45% 20%)"/><path d="M0 78c40-12 90-12 160-2v14H0z" fill="hsl(${hue} 50% 13%)"/></svg>`

const LABELS = { live: 'LIVE', replay: '0:42 / 1:12:05', offline: 'Offline' }

/** Stands in for the player page. */
export const embedPage = (state: keyof typeof LABELS) => `<!doctype html><html lang="en"><meta charset="utf-8"><title>Player</title><style>
html,body{margin:0;height:100%;background:#070b10;color:#f3f6f9;font:500 15px system-ui,sans-serif}
main{position:relative;height:100%;display:grid;place-items:center;overflow:hidden}
svg{position:absolute;inset:0;width:100%;height:100%}
.bar{position:absolute;inset:auto 0 0;padding:40px 16px 12px;background:linear-gradient(transparent,rgb(4 8 12/85%));font-variant-numeric:tabular-nums}
.bar::before{content:'';display:block;height:4px;margin-bottom:10px;border-radius:2px;background:linear-gradient(90deg,#5ec8f5 ${state === 'live' ? 100 : 12}%,#ffffff3d 0)}
.live::after{content:'';display:inline-block;width:8px;height:8px;margin-left:8px;border-radius:50%;background:#ff5468}
h1{z-index:1;font-size:18px;font-weight:600;color:#b3c0cd}</style>
<main>${state === 'offline' ? '<h1>The broadcast has not started yet</h1>' : `${thumbnail(205)}<div class="bar ${state}">${LABELS[state]}</div>`}</main></html>`
