const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)

/**
 * Does `ServerHttp2Stream.respond` take names and values in turn? Since Node 22.20 and 24.7; before, values by name,
 * in which the order between different names that repeat is lost.
 */
export const takesFieldLists: boolean =
  major > 24 || (major === 24 && minor >= 7) || (major === 22 && minor >= 20)
