// `node scripts/pictures.ts`: draws the pictures of the documents that are made from data, into docs/images.
import { writeFileSync } from 'node:fs'
import { exchangePicture } from './pictures/exchange-picture.ts'

writeFileSync('docs/images/exchange.svg', exchangePicture())
