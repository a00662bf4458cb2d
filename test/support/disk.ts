/**
 * Disks that fail: a loop device with a file system of its own, whose power can be cut, and a small one that
 * fills up.
 */
import { execFileSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface LoopDisk {
  readonly path: string
  /**
   * Drops what was not synced, as a power cut does, and mounts what is left. Processes on it must be dead or
   * will see errors.
   */
  cutPower(): void
  /**
   * The two halves of it: nothing is written any more; and, when every process on it is dead, what is left.
   */
  stop(): void
  remount(): void
  remove(): void
}

/** EXT4_IOC_SHUTDOWN with flag 2: the file system stops at once and its journal is not flushed. */
const SHUTDOWN =
  "import fcntl,os,struct,sys; fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, struct.pack('I', 2))"

export function loopDisk(sizeMiB: number): LoopDisk {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-disk-'))
  const [image, path] = [join(folder, 'image'), join(folder, 'mounted')]
  const run = (command: string, ...args: string[]): string =>
    execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim()
  run('mkdir', path)
  run('truncate', '-s', `${sizeMiB}M`, image)
  run('mkfs.ext4', '-q', '-m', '0', image)
  const device = run('losetup', '--find', '--show', image)
  run('mount', device, path)
  return {
    path,
    cutPower() {
      this.stop()
      this.remount()
    },
    stop: () => void run('python3', '-c', SHUTDOWN, path),
    remount() {
      run('umount', '-l', path)
      run('mount', device, path)
    },
    remove() {
      run('umount', '-l', path)
      run('losetup', '-d', device)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Writes until there is no room. */
export function fillUp(path: string): void {
  const file = openSync(path, 'w')
  try {
    for (;;) writeSync(file, Buffer.alloc(8 << 20))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  } finally {
    closeSync(file)
  }
}
