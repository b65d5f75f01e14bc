import { cx } from 'class-variance-authority'

export { cx }
