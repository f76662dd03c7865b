// What an object's status says of it.
import type { KObject } from './object.ts'

export const condition = (o: KObject, type: string): any => o.status?.conditions?.find((c: any) => c.type === type)
/** Of pods and nodes. */
export const isReady = (o: KObject): boolean => condition(o, 'Ready')?.status === 'True'
