/** A certificate authority of a test's own, and certificates that it signed, by openssl. */
import { execFileSync } from 'node:child_process'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Authority {
  /** Its own certificate, as PEM. */
  pem: string
  /** Paths of a key and a certificate for names (`DNS:db.test`, `IP:127.0.0.1`). */
  certify(names: string[]): { key: string; certificate: string }
}

/** `command`: what has no blanks in it. */
const openssl = (folder: string, command: string, ...paths: string[]): void =>
  void execFileSync('openssl', [...command.split(' '), ...paths], { cwd: folder, stdio: 'pipe' })

const NEW_KEY = 'req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'

/** `folder`: where its files lie; readable for all, as servers have users of their own. */
export function createAuthority(folder: string, name: string): Authority {
  const [key, pem] = [join(folder, `${name}.key`), join(folder, `${name}.pem`)]
  openssl(folder, `${NEW_KEY} -x509 -days 2`, '-subj', `/CN=${name}`, '-keyout', key, '-out', pem)
  let certified = 0
  return {
    pem: readFileSync(pem, 'utf8'),
    certify(names) {
      certified += 1
      const at = (ending: string): string => join(folder, `${name}-${certified}.${ending}`)
      writeFileSync(at('ext'), `subjectAltName=${names.join(',')}`)
      openssl(folder, `${NEW_KEY} -subj /CN=server`, '-keyout', at('key'), '-out', at('csr'))
      const signing = ['-in', at('csr'), '-CA', pem, '-CAkey', key, '-extfile', at('ext'), '-out', at('pem')]
      openssl(folder, 'x509 -req -CAcreateserial -days 2', ...signing)
      chmodSync(at('key'), 0o644)
      return { key: at('key'), certificate: at('pem') }
    },
  }
}
