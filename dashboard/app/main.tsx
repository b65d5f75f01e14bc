import '@fontsource-variable/inter/wght.css'
import '../ui/tokens.css'
import '../ui/base.css'
import { setNonce } from 'get-nonce'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { RouterProvider } from 'react-router'
import { ToastProvider } from '../ui/toast.tsx'
import { TooltipProvider } from '../ui/tooltip.tsx'
import { ShownOnceDialog } from '../components/shown-once.tsx'
import { AccountProvider } from './account.tsx'
import { router } from './router.tsx'

// Styles that a library inserts need the page's nonce.
const nonce = document.querySelector<HTMLMetaElement>('meta[property=csp-nonce]')?.nonce
if (nonce) setNonce(nonce)

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <TooltipProvider delayDuration={300}>
      <ToastProvider>
        <AccountProvider>
          <RouterProvider router={router} />
        </AccountProvider>
        <ShownOnceDialog />
      </ToastProvider>
    </TooltipProvider>
  </StrictMode>,
)
