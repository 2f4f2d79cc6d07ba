import { type Picker, picker } from '../picker.ts'

/**
 * The first member in list order (by backend id) that has room: traffic stays on as few members as
 * their connection limits allow, and the last ones can be switched off (HAProxy `first`). Without
 * `maxConnections` on the members all traffic goes to the first. Weights play no part. The next
 * candidate is the next in the list.
 */
export function first(): Picker {
  return picker('first', (roster, _key, tried) => {
    for (let index = 0; index < roster.size; index++) {
      if (roster.admits(index, tried)) return roster.slots[index]!
    }
    return -1
  })
}
