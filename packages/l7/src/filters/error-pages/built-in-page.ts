import { type CompiledPage, compiled } from './error-page-map.ts'

/** What is said where nobody wrote a page: the status, and the request's id to quote when asking for help. */
export function builtInPage(): CompiledPage {
  return compiled(
    {
      text: '%{status} %{reason}\nRequest: %{id}\n',
      json: '{"status":%{status},"error":"%{reason}","request":"%{id}"}\n',
      html: `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>%{status} %{reason}</title>
<h1>%{status} %{reason}</h1>
<p>Request: %{id}</p>
</html>
`,
    },
    'built-in',
  )
}
