// What nodes and pods use right now, as their daemons have measured it last. Daemons do not measure yet: until they do, nothing has been measured.
import { answerMade } from './made.ts'
import type { Asked } from './resource.ts'

export const usage = async (a: Asked): Promise<Response> => answerMade(a, [])
