import type { DemoStage } from './demo.ts'
import { askHttp } from './http-traffic.ts'
import { until } from './wait.ts'

/** The part of the story that is about HTTP: hosts, redirect, header, canary, and a death without a failed request. */
export async function httpSmoke(
  { node, shop, web, ports }: DemoStage,
  tell: (good: boolean, text: string) => void,
): Promise<void> {
  const ask = async (host: string, path: string, headers = {}): Promise<string> => {
    const { status, headers: fields, text } = await askHttp(ports.http, path, { host, ...headers })
    if (status >= 300 && status < 400) return `${status} to ${fields.location}`
    return status === 200 ? text.trimEnd() : String(status)
  }
  const shopSays = await ask('shop.localhost', '/cart')
  const apiSays = await ask('api.localhost', '/v1/items')
  tell(
    /^(?:emil|fina): GET shop\.localhost\/cart$/.test(shopSays) &&
      /^(?:gina|hans): GET api\.localhost\/items$/.test(apiSays),
    `two hosts behind one HTTP port: ${shopSays}; ${apiSays}`,
  )
  const moved = await ask('shop.localhost', '/old/offers?page=2')
  tell(moved === '308 to /new/offers?page=2', `/old/offers?page=2 is redirected: ${moved}`)
  const beta = await ask('api.localhost', '/v1/items', { 'x-beta': 'yes' })
  const refused = await ask('api.localhost', '/admin/keys')
  const nowhere = await ask('other.localhost', '/')
  tell(
    beta === 'hans: GET api.localhost/items' && refused === '403' && nowhere === '404',
    `a header leads to the canary, /admin is refused (${refused}), another host is not known (${nowhere})`,
  )
  const explained = await node.explain({
    method: 'GET',
    url: `http://api.localhost:${ports.http}/v1/items`,
    headers: { 'x-beta': ['yes'] },
    client: '127.0.0.1',
  })
  tell(
    explained.rule === 'beta' && explained.pools[0]?.pick === 'hans',
    `explain says the same: rule ${explained.rule}, member ${explained.pools[0]?.pick}`,
  )

  const [victim, other] = shop
  const served = (name: string): number => web.answers.get(name) ?? 0
  web.reset()
  await until(() => served('emil') > 5 && served('fina') > 5, 3000)
  await victim!.kill()
  const before = served(other!.name)
  await until(() => served(other!.name) >= before + 40, 5000)
  tell(
    web.failures.length === 0 && served(other!.name) >= before + 40,
    `${victim!.name} was killed, and no request over HTTP failed: ${[...web.answers]
      .sort()
      .map(([name, count]) => `${name} ${count}`)
      .join(', ')}`,
  )
  await victim!.revive()
  web.reset()
  const back = await until(() => served(victim!.name) > 3, 5000)
  tell(back !== undefined && web.failures.length === 0, `${victim!.name} is back and serves`)
  const routes = node.status().loadBalancers[0]!.listeners.find(({ name }) => name === 'web')!
    .routes!
  const busy = routes
    .filter(({ perSecond, p99 }) => perSecond > 0 && p99 > 0)
    .map(({ name }) => name)
  const wanted = ['old-shop', 'shop', 'no-admin', 'beta', 'api']
  tell(
    wanted.every((name) => busy.includes(name)),
    `the route table counts: ${routes
      .filter(({ requests }) => requests > 0)
      .map(
        ({ name, perSecond, p99 }) => `${name} ${perSecond.toFixed(1)}/s p99 ${p99.toFixed(1)}ms`,
      )
      .join(', ')}`,
  )
}
