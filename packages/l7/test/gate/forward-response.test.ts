import { describe, expect, it } from 'vitest'
import { prepareResponse } from '../../src/gate/forward-response.ts'
import { forwardingSettings } from '../../src/gate/forwarding-options.ts'
import { linesOf, responseOf } from './requests.ts'

const settings = forwardingSettings({ pseudonym: 'edge-1' })

describe('a response on its way to the client', () => {
  it('loses what was between the backend and us', () => {
    const head = responseOf(
      200,
      ['Server', 'origin/1.2'],
      ['Content-Length', '5'],
      ['Transfer-Encoding', 'chunked'],
      ['Connection', 'close, X-Internal, Set-Cookie, Content-Type'],
      ['Keep-Alive', 'timeout=5'],
      ['Proxy-Connection', 'close'],
      ['Proxy-Authenticate', 'Basic'],
      ['Upgrade', 'h2c'],
      ['Trailer', 'X-Sum'],
      ['X-Internal', '10.0.0.1'],
      ['Set-Cookie', 'a=b'],
      ['set-cookie', 'c=d'],
      ['Content-Type', 'text/plain'],
      ['Via', '1.1 origin'],
    )
    prepareResponse(head, settings)
    expect(linesOf(head)).toEqual([
      'Server: origin/1.2',
      'Set-Cookie: a=b',
      'set-cookie: c=d',
      'Content-Type: text/plain',
      'Via: 1.1 origin',
    ])
  })

  it('gets a line in Via when asked for, by the version it came in', () => {
    const both = forwardingSettings({ pseudonym: 'edge-1', via: 'both' })
    const head = responseOf(200)
    head.version = 20
    prepareResponse(head, both)
    expect(linesOf(head)).toEqual(['Via: 2.0 edge-1'])
  })

  it('is treated alike when it is a 103', () => {
    const head = responseOf(103, ['Link', '</x>'], ['Connection', 'close'], ['Content-Length', '1'])
    prepareResponse(head, settings)
    expect(linesOf(head)).toEqual(['Link: </x>'])
  })
})
