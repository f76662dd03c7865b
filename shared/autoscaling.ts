// What is measured for an autoscaler: by the task `autoscaler-measure`, which asks the API as any client would.
/** What was measured of a pod. */
export interface Sample {
  /** Thousandths. */
  value: number
  /** ms. */
  at: number
  window: number
}

export const MEASURE = 'autoscaler-measure'
export const SCALE = 'autoscaler-scale'

/** The scale subresource of what is scaled. */
export interface Scale {
  path: string
  object: any
}

/** What one metric came to: samples by pod's name, one value, or why there is neither. */
export type Measured = { samples: [pod: string, sample: Sample][] } | { value: number } | { error: string }

export interface Measurement {
  scale: Scale | { error: string }
  /** In the order of the autoscaler's metrics. */
  metrics: Measured[]
}
