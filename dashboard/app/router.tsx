import { createBrowserRouter, type RouteObject } from 'react-router'
import { NotFound, PageCrashed } from '../components/full-page.tsx'
import { PlaceLayout } from './place.tsx'

/** A page in a file of its own, loaded when it is first visited. */
const page = (load: () => Promise<{ default: React.ComponentType }>): Pick<RouteObject, 'lazy'> => ({
  lazy: async () => ({ Component: (await load()).default }),
})

export const router = createBrowserRouter([
  {
    errorElement: <PageCrashed />,
    HydrateFallback: () => null,
    children: [
      { path: '/', ...page(() => import('../pages/home.tsx')) },
      { path: '/sign-in', ...page(() => import('../pages/sign-in.tsx')) },
      { path: '/sign-up', ...page(() => import('../pages/sign-up.tsx')) },
      { path: '/forgot-password', ...page(() => import('../pages/forgot-password.tsx')) },
      { path: '/reset-password', ...page(() => import('../pages/reset-password.tsx')) },
      { path: '/verify-email', ...page(() => import('../pages/verify-email.tsx')) },
      { path: '/invitation', ...page(() => import('../pages/invitation.tsx')) },
      { path: '/new-tenant', ...page(() => import('../pages/new-tenant.tsx')) },
      { path: '/account', ...page(() => import('../pages/account/account.tsx')) },
      {
        path: '/t/:tenant/:environment?',
        Component: PlaceLayout,
        children: [
          {
            errorElement: <PageCrashed inside />,
            children: [
              { index: true, ...page(() => import('../pages/channels.tsx')) },
              { path: 'welcome', ...page(() => import('../pages/welcome.tsx')) },
              { path: 'channels', ...page(() => import('../pages/channels.tsx')) },
              { path: 'channels/new', ...page(() => import('../pages/channel-new.tsx')) },
              { path: 'channels/:id/:tab?', ...page(() => import('../pages/channel/channel.tsx')) },
              { path: 'assets', ...page(() => import('../pages/assets.tsx')) },
              { path: 'assets/:id', ...page(() => import('../pages/asset.tsx')) },
              { path: 'team', ...page(() => import('../pages/team.tsx')) },
              { path: 'tokens', ...page(() => import('../pages/tokens.tsx')) },
              { path: 'signed-playback/:tab?', ...page(() => import('../pages/signed-playback/signed-playback.tsx')) },
              { path: 'webhooks', ...page(() => import('../pages/webhooks/webhooks.tsx')) },
              { path: 'webhooks/:id', ...page(() => import('../pages/webhooks/webhook.tsx')) },
              { path: 'audit-log', ...page(() => import('../pages/audit-log.tsx')) },
              { path: 'explorer', ...page(() => import('../pages/explorer/explorer.tsx')) },
              { path: 'settings', ...page(() => import('../pages/settings.tsx')) },
              { path: '*', element: <NotFound inside /> },
            ],
          },
        ],
      },
      { path: '*', element: <NotFound /> },
    ],
  },
])
