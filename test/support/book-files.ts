/** A dataset of books over a folder, what its files hold, and what of them has landed. */
import { join } from 'node:path'
import { deltalake, place, type Place } from './system.ts'

/** A dataset over a folder of the place's home. */
export function bookFolder(edit: (yaml: string) => string = (yaml) => yaml): Place & { incoming: string } {
  const where = place('localhost:1', (yaml) =>
    edit(
      yaml
        .replace(/source:\n {2}kafka:[\s\S]*?earliest\n/, 'source:\n  files: { path: incoming }\n')
        .replace(/message_id: .*\n/, ''),
    ),
  )
  return { ...where, incoming: join(where.home, 'incoming') }
}

export const book = (id: number, more = ''): string =>
  `<book><record_id>00000000-0000-4000-8000-${String(id).padStart(12, '0')}</record_id><title>T${id}</title><author><name>N</name></author><publication_year>2010</publication_year>${more}</book>`
export const titles = (where: Place): Promise<string[]> =>
  deltalake(
    where.raw,
    `
import pyarrow.compute as pc
accepted = t.filter(pc.equal(t['outcome'], 'accepted'))
print(json.dumps(sorted(accepted['title'].to_pylist())))`,
  )
export const distinctTitles = (where: Place): Promise<number[]> =>
  deltalake(
    where.raw,
    "import pyarrow.compute as pc\na = t.filter(pc.equal(t['outcome'], 'accepted'))['title']\nprint(json.dumps([len(a), pc.count_distinct(a).as_py()]))",
  )
