/** The first few of these, for messages: `a, b and 3 more`. */
export function formatNames(names: readonly string[], most = 5): string {
  const more = names.length - most
  return more > 0 ? `${names.slice(0, most).join(', ')} and ${more} more` : names.join(', ')
}
