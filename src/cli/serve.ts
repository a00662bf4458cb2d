/** headrace serve and headrace login. */
import { readFileSync } from 'node:fs'
import { InvalidArgumentError, Option, type Command } from 'commander'
import type { Client } from './client.ts'
import { SERVE_ROLES, type ServeOptions, type ServeRole, type Served } from '../control/serve.ts'
import { failure } from '../core/errors.ts'
import { settings } from '../host/settings.ts'
import { repeatable, stopSignal } from './options.ts'
import type { Output } from './output.ts'

export function addServe(
  program: Command,
  serve: (options: ServeOptions) => Promise<Served>,
  client: Client,
  output: () => Output,
): void {
  program
    .command('serve')
    .description('run the service: API, scheduler, runners and a built-in PostgreSQL')
    .addOption(
      new Option('--listen <host:port>', 'address of the API')
        .default({ host: '127.0.0.1', port: 8480 }, '127.0.0.1:8480')
        .argParser(listenAddress),
    )
    .option(
      '--database <url>',
      'use this PostgreSQL (15 or newer) instead of the built-in one (HEADRACE_DATABASE)',
    )
    .addOption(
      repeatable('--role <role>', `run only this role: ${SERVE_ROLES.join(', ')}`, 'all roles', role),
    )
    .addHelpText(
      'after',
      '\nExamples:\n  headrace serve\n  headrace serve --listen 0.0.0.0:8480 --database postgres://user:password@host/headrace\n\nThen, in another terminal: headrace tenants add acme',
    )
    .action(async (flags: { listen: ServeOptions['listen']; database?: string; role: ServeRole[] }) => {
      const out = output()
      const signal = stopSignal()
      const started = performance.now()
      const served = await serve({
        roles: flags.role.length === 0 ? [...SERVE_ROLES] : flags.role,
        listen: flags.listen,
        databaseUrl: flags.database ?? settings().database,
      })
      out.say(readyText(served, (performance.now() - started) / 1000))
      const stopped = new Promise<void>((done) =>
        signal.addEventListener('abort', () => done(), { once: true }),
      )
      const lost = await Promise.race([stopped.then(() => false), served.ended.then(() => true)])
      if (!lost) out.say('Stopping ...')
      await served.stop()
      if (lost)
        throw failure('database_unreachable', {
          address: 'its local address',
          reason: 'the built-in PostgreSQL exited; see postgres.log in HEADRACE_HOME',
        })
      process.exit()
    })
  program
    .command('login <url>')
    .description('store the address and a token of a service in a profile')
    .requiredOption('--token-file <path>', 'file with the token (- for standard input)')
    .option('--profile <name>', 'name of the profile; HEADRACE_PROFILE selects it', 'default')
    .option('--tenant <name>', 'default tenant of commands (for an operator)')
    .action(async (url: string, flags: { tokenFile: string; profile: string; tenant?: string }) => {
      const token = readFileSync(flags.tokenFile === '-' ? 0 : flags.tokenFile, 'utf8').trim()
      output().object(await client.login({ name: flags.profile, url, token, tenant: flags.tenant }))
    })
}

/**
 * What a person wants to know once the service runs. Roles without the API, or without the built-in database,
 * show less.
 */
function readyText({ address, tokenFile, databaseFolder }: Served, seconds: number): string {
  const api = [
    `  API        ${address}/api/v1`,
    `  Reference  ${address}/api/v1/reference`,
    `  Token      ${tokenFile} (operator)`,
  ]
  return [
    `Ready after ${seconds.toFixed(1)} s.`,
    ...(address === undefined ? [] : api),
    ...(databaseFolder === undefined ? [] : [`  Database   ${databaseFolder}`]),
    'Stop with Ctrl-C. Running executions finish or return to the queue first.',
  ].join('\n')
}

function listenAddress(text: string): ServeOptions['listen'] {
  const match = /^(?:(.+):)?(\d{1,5})$/.exec(text)
  const port = Number(match?.[2])
  if (match === null || port > 65_535)
    throw new InvalidArgumentError('It must be host:port, e.g. 127.0.0.1:8480.')
  return { host: match[1] ?? '127.0.0.1', port }
}

function role(text: string): string {
  if (!(SERVE_ROLES as readonly string[]).includes(text))
    throw new InvalidArgumentError(`It must be one of ${SERVE_ROLES.join(', ')}.`)
  return text
}
