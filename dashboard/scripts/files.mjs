import { readdirSync } from 'node:fs'
import { join } from 'node:path'

/** Files below the given folders of `root` whose path matches, relative to `root`. */
export function glob(root, folders, pattern) {
  return folders.flatMap((folder) => readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && pattern.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length)))
}
