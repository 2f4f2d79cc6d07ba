import { library } from '../../tsup.base.ts'

export default library('src/index.ts', 'src/bytes/index.ts', 'src/ip/index.ts')
