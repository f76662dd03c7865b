// Taints and who tolerates them.

/** Whether a pod with the toleration `t` may be where `taint` is. */
export const tolerates = (t: any, taint: any): boolean =>
  (!t.effect || t.effect === taint.effect) &&
  (!t.key || t.key === taint.key) &&
  (t.operator === 'Exists' || (t.value ?? '') === (taint.value ?? ''))
