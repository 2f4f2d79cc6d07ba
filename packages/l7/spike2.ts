import inspector from 'node:inspector'
import { writeFileSync } from 'node:fs'
import './spike.ts'
const s = new inspector.Session(); s.connect()
process.on('SIGUSR2', () => { s.post('HeapProfiler.startSampling', { samplingInterval: 4096, includeObjectsCollectedByMajorGC: true, includeObjectsCollectedByMinorGC: true } as any) })
process.removeAllListeners('SIGTERM')
process.on('SIGTERM', () => { s.post('HeapProfiler.stopSampling', (e: any, r: any) => { writeFileSync('/tmp/spike/hp/x.json', JSON.stringify(r.profile)); process.exit() }) })
