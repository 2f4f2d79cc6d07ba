import { library } from '../../tsup.base.ts'

export default {
  ...library(),
  entry: { main: 'src/main.ts', 'demo-backend': 'src/demo/backend.ts' },
}
