import { type Colours, colours } from '../cli/colours.ts'
import type { Step } from './step.ts'

/**
 * A plan for people: `+` comes, `~` changes, `-` goes, each with what differs below it, and at the end
 * what it means for open connections. Ends with a line break.
 */
export function formatPlan(
  steps: readonly Step[],
  options: { readonly colour?: boolean } = {},
): string {
  const paint = colours(options.colour ?? false)
  if (steps.length === 0) return 'No changes.\n'
  const lines = steps.flatMap((step) => [headline(step, paint), ...details(step, paint)])
  return `${lines.join('\n')}\n\n${totals(steps)}\n`
}

function headline({ action, text }: Step, paint: Colours): string {
  switch (action) {
    case 'add':
    case 'start':
      return paint.good(`+ ${text}`)
    case 'remove':
    case 'stop':
      return paint.bad(`- ${text}`)
    case 'edit':
      return paint.warn(`~ ${text}`)
    default:
      return action satisfies never
  }
}

function details(step: Step, paint: Colours): readonly string[] {
  const notes: string[] = step.changes.map(({ text, path }) =>
    step.action === 'edit' && step.kind === 'listener' && step.atNextStart.includes(path)
      ? `${text} ${paint.dim('(when it starts next)')}`
      : text,
  )
  if (step.action === 'stop' && step.makesWayFor !== undefined) {
    notes.push(`stops first: ${step.makesWayFor} needs its place`)
  }
  if (step.connections === 'drained') {
    notes.push(
      paint.dim(
        step.kind === 'pool'
          ? 'connections of the members that leave drain'
          : 'open connections drain',
      ),
    )
  }
  return notes.map((note) => `    ${note}`)
}

function totals(steps: readonly Step[]): string {
  const count = (...actions: Step['action'][]): number =>
    steps.filter(({ action }) => actions.includes(action)).length
  const sum = `${count('add', 'start')} to add, ${count('edit')} to change, ${count('remove', 'stop')} to remove`
  const drained = steps.filter(({ connections }) => connections === 'drained').length
  const fate =
    drained === 0
      ? 'no open connection is touched'
      : `connections drain in ${drained} step${drained === 1 ? '' : 's'}, all others go on`
  return `Plan: ${sum}; ${fate}.`
}
