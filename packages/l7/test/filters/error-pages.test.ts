import { describe, expect, it } from 'vitest'
import { errorPages } from '../../src/filters/error-pages.ts'
import { BodyEnd, type BodyExchangeInit, bodyExchange, responseHead } from './body-rig.ts'

function page(
  pages: Parameters<typeof errorPages>[0],
  status: number,
  init: BodyExchangeInit & { accept?: string } = {},
  options?: Parameters<typeof errorPages>[1],
) {
  const headers = init.accept === undefined ? {} : { accept: init.accept }
  return errorPages(pages, options).pageFor(status, bodyExchange({ id: 'id-1', headers, ...init }))
}

describe('error pages', () => {
  it('are the closest ones: status, class, default, built in', () => {
    const pages = { 503: 'exact', '5xx': 'class', default: 'default' }
    expect(page(pages, 503)?.body).toBe('exact')
    expect(page(pages, 502)?.body).toBe('class')
    expect(page(pages, 404)?.body).toBe('default')
    expect(page({ 503: 'exact' }, 404)?.body).toBe('404 Not Found\nRequest: id-1\n')
    expect(page({ 503: 'exact' }, 404, {}, { builtIn: false })).toBeUndefined()
  })

  it.each([
    [undefined, 'text/plain; charset=utf-8'],
    ['*/*', 'text/plain; charset=utf-8'],
    ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 'text/html; charset=utf-8'],
    ['application/json', 'application/json'],
    ['application/json;q=0.4, text/html;q=0.5', 'text/html; charset=utf-8'],
    ['text/*;q=0.3, application/json;q=0.2', 'text/plain; charset=utf-8'],
    ['text/plain;q=0, text/*', 'text/html; charset=utf-8'],
    ['image/png', 'text/plain; charset=utf-8'],
    ['', 'text/plain; charset=utf-8'],
  ])('come as the client likes them: %s', (accept, contentType) => {
    expect(page({}, 500, accept === undefined ? {} : { accept })?.contentType).toBe(contentType)
  })

  it('fall back on the built-in form when the page has none that the client takes', () => {
    const json = page({ 503: '<p>html only' }, 503, { accept: 'application/json' })
    expect(JSON.parse(json!.body as string)).toEqual({
      status: 503,
      error: 'Service Unavailable',
      request: 'id-1',
    })
    const only = page({ 503: '<p>' }, 503, { accept: 'image/png' }, { builtIn: false })
    expect(only?.body).toBe('<p>')
  })

  it('fill in variables, escaped for where they stand', () => {
    const evil = `/<script>"&'\`\n`
    const text = '%{status} %{reason} %{path} %{host} %{method} %% %x'
    const forms = { html: text, json: '{"p":"%{path}"}', text: '%{path}' }
    const get = (accept: string) =>
      page({ 418: forms }, 418, { accept, path: evil })?.body as string
    expect(get('text/html')).toBe(
      "418 I'm a Teapot /<script>\"&'`\n www.example.com GET % %x"
        .replace("I'm", 'I&#39;m')
        .replace('<script>"&\'`', '&lt;script&gt;&quot;&amp;&#39;&#96;'),
    )
    expect(JSON.parse(get('application/json'))).toEqual({ p: evil })
    expect(get('application/json')).not.toContain('<')
    expect(get('text/plain')).toBe(`/<script>"&'\`?`)
  })

  it('may say another status', () => {
    const told = page({ 503: { html: '%{status}', status: 200 } }, 503)
    expect(told).toMatchObject({ status: 200, body: '200' })
  })

  it.each([
    [{ 200: 'x' }, 'errorPages'],
    [{ '6xx': 'x' }, 'errorPages'],
    [{ 503: {} }, 'errorPages.503'],
    [{ 503: { html: '%{nonsense}' } }, 'errorPages.503.html'],
    [{ 503: '%{__proto__}' }, 'errorPages.503'],
    [{ 503: { html: 'x', status: 99 } }, 'errorPages.503.status'],
  ])('refuse %j', (pages, path) => {
    expect(() => errorPages(pages as never)).toThrow(`${path}: `)
  })
})

describe('error pages instead of what members send', () => {
  const filter = errorPages({ '5xx': '<p>%{status}' }, { backendErrors: true })

  it('replace body and what told of it, and keep the rest of the head', () => {
    const head = responseHead(
      {
        'content-type': 'application/x-trace',
        'content-encoding': 'gzip',
        etag: '"x"',
        'set-cookie': 'a=1',
        'retry-after': '5',
      },
      { status: 500 },
    )
    const end = new BodyEnd(filter.responseBody!(head, bodyExchange())!)
    expect(Object.fromEntries(head)).toEqual({
      'set-cookie': 'a=1',
      'retry-after': '5',
      'content-type': 'text/html; charset=utf-8',
      vary: 'Accept',
    })
    end.pipe.write(Buffer.from('stack trace'))
    end.pipe.write(Buffer.from('more of it'))
    expect(end.ended).toBe(false)
    end.pipe.end()
    expect(end.bytes.toString()).toBe('<p>500')
    expect(end.ended).toBe(true)
  })

  it('come in place of an empty body too, and do not wait for the end of a long one', () => {
    const open = () =>
      new BodyEnd(filter.responseBody!(responseHead({}, { status: 500 }), bodyExchange())!)
    const empty = open()
    empty.pipe.end()
    expect(empty.bytes.toString()).toBe('<p>500')
    const long = open()
    for (let i = 0; i < 9; i++) long.pipe.write(Buffer.alloc(8192))
    expect(long.ended).toBe(true)
    expect(long.bytes.toString()).toBe('<p>500')
    const given = open()
    given.pipe.destroy()
    expect(given.size).toBe(0)
  })

  it('leave statuses alone that they are not for', () => {
    const x = bodyExchange()
    for (const status of [200, 304, 404]) {
      expect(filter.responseBody!(responseHead({}, { status }), x)).toBeUndefined()
    }
    const some = errorPages({ default: 'x' }, { backendErrors: [404, '5xx'] })
    const replaced = [403, 404, 500, 599].filter(
      (status) => some.responseBody!(responseHead({}, { status }), x) !== undefined,
    )
    expect(replaced).toEqual([404, 500, 599])
    expect(errorPages({ default: 'x' }).responseBody).toBeUndefined()
  })

  it('may change the status', () => {
    const gentle = errorPages({ 500: { html: 'x', status: 503 } }, { backendErrors: true })
    const head = responseHead({}, { status: 500 })
    gentle.responseBody!(head, bodyExchange())
    expect(head.status).toBe(503)
  })
})
