// Debian's chromium driven as a user drives it. What a page complains of on its console fails the test, but for answers that it asked for and was refused.
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { type Browser, chromium, type Page } from 'playwright-core'

const CHROMIUM = '/usr/bin/chromium'
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-sync']
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** Why there can be no browser here; undefined when there can. Throws under CI, where nothing is skipped. */
export function browserMissing(): string | undefined {
  if (existsSync(CHROMIUM)) return undefined
  if (process.env.CI === 'true') throw new Error('the dashboard cannot be tested: chromium is missing')
  return 'chromium is missing'
}

export const startBrowser = (): Promise<Browser> => chromium.launch({ executablePath: CHROMIUM, args: FLAGS })

export interface Look {
  width?: number
  height?: number
  dark?: boolean
}

export class Visitor {
  readonly page: Page
  readonly url: string
  readonly complaints: string[] = []
  /** Bytes of files as they came over the wire, by name. */
  readonly fetched = new Map<string, number>()

  private constructor(page: Page, url: string) {
    this.page = page
    this.url = url
    page.on('pageerror', (e) => this.complaints.push(e.message))
    page.on('console', (m) => {
      // Refusals and connections that end are the page's to deal with.
      if (m.type() === 'error' && !/Failed to load resource|WebSocket/.test(m.text())) this.complaints.push(m.text())
    })
    page.on('response', (r) => {
      const name = new URL(r.url()).pathname.split('/ui/')[1]
      if (name !== undefined) this.fetched.set(name, Number(r.headers()['content-length'] ?? 0))
    })
  }

  /** Opens the dashboard of a cluster; `url` is the cluster's. */
  static async come(browser: Browser, url: string, { width = 1280, height = 800, dark = false }: Look = {}): Promise<Visitor> {
    const context = await browser.newContext({
      ignoreHTTPSErrors: true,
      viewport: { width, height },
      colorScheme: dark ? 'dark' : 'light',
      permissions: ['clipboard-read', 'clipboard-write'],
    })
    context.setDefaultTimeout(20_000)
    const v = new Visitor(await context.newPage(), url)
    await v.page.goto(`${url}/ui/`)
    return v
  }

  async signIn(token: string): Promise<void> {
    await this.page.getByLabel('Token').fill(token)
    await this.page.getByRole('button', { name: 'Sign in', exact: true }).click()
    await this.page.getByRole('navigation', { name: 'Menu' }).waitFor()
  }
  /** A page by what follows `#/`; waits for its heading. */
  async open(at: string, heading?: string): Promise<void> {
    await this.page.goto(`${this.url}/ui/#/${at}`)
    if (heading) await this.page.getByRole('heading', { name: heading, level: 1 }).waitFor()
  }
  /** Chooses the namespace that lists are of. */
  async choose(namespace: string): Promise<void> {
    await this.page.locator('.top').getByLabel('Namespace').selectOption(namespace)
  }
  /** A row of any table, by words in it. */
  row(text: string | RegExp) {
    return this.page.getByRole('row').filter({ hasText: text })
  }
  button(name: string) {
    return this.page.getByRole('button', { name, exact: true })
  }
  /** In the dialog that is open. */
  dialog() {
    return this.page.getByRole('dialog')
  }
  /** Replaces the text of the editor. */
  async type(text: string): Promise<void> {
    await this.page.locator('.cm-content').click()
    await this.page.keyboard.press('Control+a')
    await this.page.keyboard.insertText(text)
  }
  /** What axe-core finds that is serious, a line each. */
  async barriers(): Promise<string[]> {
    await this.page.evaluate(axe)
    const found = await this.page.evaluate(() => (globalThis as any).axe.run(document, { resultTypes: ['violations'] }))
    return found.violations
      .filter((v: any) => ['serious', 'critical'].includes(v.impact))
      .map((v: any) => `${v.id}: ${v.help}: ${v.nodes.map((n: any) => n.html.slice(0, 120)).join(' | ')}`)
  }
  leave(): Promise<void> {
    return this.page.context().close()
  }
}
